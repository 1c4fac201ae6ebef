"""What the values of class maps mean: lists of names, of numbers or of colours, beside the data."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import DataError
from foveal.data.formats._annotations import SMALL_TEXT, bad, read_lines
from foveal.data.formats._classes import class_name
from foveal.data.formats._json import WrongError, numbers, read_any_json
from foveal.data.scene import VOID
from foveal.data.tree import Tree

# The eleven classes of CamVid as SegNet laid it out, in folders that are called like no others; 11 is void.
CAMVID_FOLDERS = frozenset({"trainannot", "valannot", "testannot"})
CAMVID = (
    "Sky", "Building", "Pole", "Road", "Pavement", "Tree", "SignSymbol", "Fence", "Car", "Pedestrian",
    "Bicyclist", "Unlabelled",
)  # fmt: skip
FILES = (
    "classes.txt", "labels.txt", "class_names.txt", "classes.json", "label_colors.txt", "labelmap.txt",
)  # fmt: skip
_VOID = frozenset({"void", "ignore", "unlabelled", "unlabeled", "background_ignore", "__ignore__"})
_COLOUR = re.compile(r"(\d{1,3})[\s,]+(\d{1,3})[\s,]+(\d{1,3})\s+(.+)")
_NUMBERED = re.compile(r"(\d{1,5})\s*[:,;\t ]\s*(.+)")
_MOST = 255  # classes; 255 is void


@dataclass(frozen=True)
class Meaning:
    """What values mean.

    Attributes:
        classes: Names in label order.
        file: What says so, or "".
        colours: Whether values are colours, 3 bytes as one number, and not numbers themselves.
        counted: Whether values are places on a list, and were not written down.
        of_value: The label of each value that means something, `VOID` where nothing is said of a pixel.
    """

    classes: tuple[str, ...]
    file: str
    colours: bool
    of_value: dict[int, int] = field(repr=False)
    counted: bool = False

    def labels(self, values: NDArray[np.int64]) -> tuple[NDArray[np.uint8], list[int]]:
        """Return labels for values, (H, W), and the values that mean nothing; these become void.

        Args:
            values: Numbers, or colours as one number each.
        """
        there, where = np.unique(values, return_inverse=True)
        table = np.array([self.of_value.get(int(value), VOID) for value in there], dtype=np.uint8)
        strange = [int(value) for value in there if int(value) not in self.of_value]
        return table[where].reshape(values.shape), strange

    def called(self, value: int) -> str:
        """Return a value as people write it."""
        return f"#{value:06x}" if self.colours else str(value)


def stated_meaning(tree: Tree, maps: Iterable[str]) -> Meaning | None:
    """Return what a file beside the data, or the layout itself, says of values; None where nothing does.

    Args:
        tree: Where the file may lie.
        maps: Names of the maps.

    Raises:
        DataError: `bad_annotation`: the file makes no sense.
    """
    file = next((name for name in FILES if name in tree.files), None)
    if file is not None:
        rows = _json_rows(tree, file) if file.endswith(".json") else _text_rows(tree, file)
        counted = file.endswith(".txt") and not any(
            _NUMBERED.fullmatch(text) for _, text in read_lines(tree, file)
        )
        return replace(meaning_of(tree, file, rows), counted=counted)
    folders = {part.lower() for name in maps for part in name.split("/")[:-1]}
    if folders & CAMVID_FOLDERS:
        return meaning_of(tree, "", [(number, name, False) for number, name in enumerate(CAMVID)])
    return None


def found_meaning(values: Sequence[int], *, colours: bool) -> Meaning:
    """Return what values mean of which nothing is said: each is a class called like it, and 255 is void.

    Where 0 and 255 are all there are, 255 is what is to be found and no void.
    """
    numbers = sorted(set(values))
    if colours:
        return Meaning(
            tuple(f"#{one:06x}" for one in numbers), "", True, {v: k for k, v in enumerate(numbers)}
        )
    kept = [one for one in numbers if one != VOID or set(numbers) <= {0, VOID}]
    of_value = {value: label for label, value in enumerate(kept)}
    return Meaning(tuple(map(str, kept)), "", False, {VOID: VOID, **of_value})


def meaning_of(tree: Tree, file: str, rows: Sequence[tuple[int, str, bool]]) -> Meaning:
    """Return what rows of value, name, and whether it is a colour, say.

    Raises:
        DataError: `bad_annotation`: too many classes, or values and colours mixed.
    """
    colours = any(is_colour for _, _, is_colour in rows)
    if colours and not all(is_colour for _, _, is_colour in rows):
        raise bad(tree, file, None, "some classes have a colour, and others have none")
    classes: list[str] = []
    of_value: dict[int, int] = {} if colours else {VOID: VOID}
    for value, name, _ in rows:
        if name.casefold() in _VOID:
            of_value[value] = VOID
            continue
        if name not in classes:
            classes.append(name)
        of_value[value] = classes.index(name)
    if not 1 <= len(classes) <= _MOST:
        raise bad(tree, file, None, f"{len(classes)} classes; a map tells 1 to {_MOST} apart")
    return Meaning(tuple(classes), file, colours, of_value)


def _text_rows(tree: Tree, file: str) -> list[tuple[int, str, bool]]:
    rows: list[tuple[int, str, bool]] = []
    seen: dict[int, int] = {}
    for line, text in read_lines(tree, file):
        if text.startswith("#"):
            continue
        if not rows and text == "__ignore__":  # LabelMe lists what it calls -1 first
            continue
        row = _row(tree, file, (line, text), len(rows))
        if row[0] in seen:
            raise bad(tree, file, line, f"the value of {row[1]!r} is on line {seen[row[0]]}, too")
        seen[row[0]] = line
        rows.append(row)
    return rows


def _row(tree: Tree, file: str, at: tuple[int, str], place: int) -> tuple[int, str, bool]:
    """Return value, name, and whether it is a colour, of a line: name, alone or behind a number or colour."""
    line, text = at
    if file == "labelmap.txt":  # CVAT: name:red,green,blue:parts:actions
        name, _, rest = text.partition(":")
        text = f"{rest.partition(':')[0]} {name}"
    if colour := _COLOUR.fullmatch(text):
        red, green, blue = (int(part) for part in colour.groups()[:3])
        if max(red, green, blue) > 255:
            raise bad(tree, file, line, f"{text!r} is no colour")
        return (red << 16) | (green << 8) | blue, class_name(colour[4].strip()), True
    if file in ("labelmap.txt", "label_colors.txt"):
        raise bad(tree, file, line, f"{at[1]!r} has no colour")
    if number := _NUMBERED.fullmatch(text):
        return int(number[1]), class_name(number[2].strip()), False
    return place, class_name(text), False


def _json_rows(tree: Tree, file: str) -> list[tuple[int, str, bool]]:
    """Return the rows of a list of names, or of an object of number: name, name: number or name: colour."""
    document = read_any_json(tree, file, at_most=SMALL_TEXT)
    value = document.value
    pairs: list[tuple[Any, Any]]
    if isinstance(value, list):
        pairs = list(enumerate(value))
    elif isinstance(value, dict):
        pairs = list(value.items())
    else:
        raise bad(tree, file, 1, "it is neither a list nor an object")
    rows = []
    for key, said in pairs:
        try:
            rows.append(_json_row(key, said))
        except WrongError as wrong:
            raise document.bad(wrong.why, key, *wrong.way) from wrong
    return rows


def _json_row(key: Any, said: Any) -> tuple[int, str, bool]:
    if isinstance(said, str) and str(key).isdecimal():
        return int(key), class_name(said), False
    if isinstance(said, int) and not isinstance(said, bool) and 0 <= said < 2**16:
        return said, class_name(str(key)), False
    if isinstance(said, list):
        parts = numbers(said, "a colour")
        if len(parts) == 3 and all(part in range(256) for part in parts):
            red, green, blue = map(int, parts)
            return (red << 16) | (green << 8) | blue, class_name(str(key)), True
    raise WrongError(f"{json.dumps(said):.40} is no name, number or colour of a class")


def strange_error(tree: Tree, file: str, meaning: Meaning, strange: Sequence[int]) -> DataError:
    """Return the error that a map has values without a class."""
    values = ", ".join(map(meaning.called, strange[:5]))
    why = f"{values} {'is a value' if len(strange) == 1 else 'are values'} without a class"
    return bad(tree, file, None, why, hint=f"{meaning.file or 'classes.txt'} names a class for each value")

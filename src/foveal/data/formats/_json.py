"""JSON whose mistakes are named by line, also where its syntax is right and its meaning is not."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from foveal.core.errors import DataError
from foveal.data.formats._annotations import LARGE_TEXT, LARGEST, bad, read_text
from foveal.data.tree import Tree

Step = str | int  # into an object, or into a list
_HALF_LETTER = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F]\w{2}"
)
_BLANKS = " \t\r\n"


class WrongError(Exception):
    """What is wrong, and the way to it from where the reader stands."""

    def __init__(self, why: str, *way: Step) -> None:
        super().__init__(why)
        self.why, self.way = why, way


@dataclass(frozen=True)
class Json:
    """A parsed file: where it lies, its text, and what it is."""

    tree: Tree
    file: str
    text: str = field(repr=False)
    value: Any = field(repr=False)

    def bad(self, why: str, *way: Step) -> DataError:
        """Return the error that something is wrong at the end of a way from the root."""
        return bad(self.tree, self.file, line_of(self.text, way), why)


def read_json(tree: Tree, file: str, *, at_most: int = LARGE_TEXT) -> Json:
    """Return a parsed file that is an object; raises as `read_any_json`, also where it is none."""
    document = read_any_json(tree, file, at_most=at_most)
    if not isinstance(document.value, dict):
        raise bad(tree, file, 1, "it is no JSON object")
    return document


def read_any_json(tree: Tree, file: str, *, at_most: int) -> Json:
    """Return a parsed file.

    Raises:
        DataError: `bad_annotation`: it is no JSON, or too long.
    """
    text = read_text(tree, file, at_most=at_most)
    try:
        value = json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise bad(tree, file, error.lineno, f"no JSON: {error.msg}") from error
    except (ValueError, RecursionError) as error:  # NaN, a number of 5,000 digits, lists in lists in lists
        raise bad(tree, file, None, f"no JSON that is read: {error}") from error
    # json takes it, but no name with it could be written.
    half = _HALF_LETTER.search(text) if "\\u" in text else None
    if half and not _is_text(value):
        line = text.count("\n", 0, half.start()) + 1
        raise bad(tree, file, line, f"{half[0]} is half of a letter")
    return Json(tree, file, text, value)


def _is_text(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")


def listing(holder: Mapping[str, Any], key: str) -> list[Any]:
    """Return a list by its key.

    Raises:
        WrongError: There is none.
    """
    value = holder.get(key)
    if not isinstance(value, list):
        raise WrongError(f"{key!r} is missing, or no list", key)
    return value


def objects(holder: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """Return a list of objects by its key; raises `WrongError` where there is none."""
    values = listing(holder, key)
    for place, value in enumerate(values):
        if not isinstance(value, dict):
            raise WrongError(f"an entry of {key!r} is no object", key, place)
    return values


def text_in(holder: Mapping[str, Any], key: str) -> str:
    """Return a text that is not empty by its key; raises `WrongError` where there is none."""
    value = holder.get(key)
    if not isinstance(value, str) or not value.strip():
        raise WrongError(f"{key!r} is missing, empty, or no text", key)
    return value


def whole(holder: Mapping[str, Any], key: str) -> int:
    """Return a whole number by its key; raises `WrongError` where there is none."""
    value = holder.get(key)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise WrongError(f"{key!r} is missing, or no whole number", key)
    return value


def flag(holder: Mapping[str, Any], key: str, *, usual: bool = False) -> bool:
    """Return whether something is said to be so; raises `WrongError` for other than true, false, 1 and 0.

    Args:
        holder: What says it.
        key: Under which name.
        usual: What holds where nothing is said.
    """
    value = holder.get(key)
    if value is None:
        return usual
    if value not in (0, 1):
        raise WrongError(f"{key!r} is neither 0 nor 1", key)
    return bool(value)


def numbers(values: Any, what: str) -> list[float]:
    """Return a list of finite numbers; raises `WrongError` where it is none."""
    if not isinstance(values, list):
        raise WrongError(f"{what} is no list of numbers")
    plain = set(map(type, values)) <= {int, float}
    if plain and (not values or -LARGEST <= min(values) <= max(values) <= LARGEST):
        return list(map(float, values))
    place = next(k for k, value in enumerate(values) if not _is_number(value))
    raise WrongError(f"{what} holds {values[place]!r:.40}, which is no number", place)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and -LARGEST <= value <= LARGEST


def line_of(text: str, way: tuple[Step, ...]) -> int:
    r"""Return the line, from 1, where the end of a way into a JSON text begins; as far as the way leads.

    >>> line_of('{"a": 1,\n "b": [2,\n 3]}', ("b", 1))
    3
    """
    position = _past_blanks(text, 0)
    for step in way:
        found = _inside(text, position, step)
        if found is None:
            break
        position = found
    return text.count("\n", 0, position) + 1


def _inside(text: str, position: int, step: Step) -> int | None:
    """Return where a member of the object or list at a position begins; None where there is no such one."""
    decoder = json.JSONDecoder()
    if text[position] not in "{[" or (text[position] == "{") != isinstance(step, str):
        return None
    count, found = 0, None
    position = _past_blanks(text, position + 1)
    while text[position] not in "}]":
        key: Step = count
        if isinstance(step, str):
            key, position = decoder.raw_decode(text, position)
            position = _past_blanks(text, _past_blanks(text, position) + 1)
        if key == step:
            found = position  # of a key that is there twice the last one counts
            if isinstance(step, int):
                break
        _, position = decoder.raw_decode(text, position)
        position = _past_blanks(text, position)
        if text[position] == ",":
            position = _past_blanks(text, position + 1)
        count += 1
    return found


def _past_blanks(text: str, position: int) -> int:
    while position < len(text) and text[position] in _BLANKS:
        position += 1
    return position


def corners(values: Any) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom for a `bbox` of left, top, width and height.

    Raises:
        WrongError: It is none; what it says names `bbox`.
    """
    try:
        box = numbers(values, "'bbox'")
    except WrongError as wrong:
        raise WrongError(wrong.why, "bbox", *wrong.way) from wrong
    if len(box) != 4:
        raise WrongError(f"'bbox' holds {len(box)} numbers, not left, top, width and height", "bbox")
    left, top, width, height = box
    return left, top, left + width, top + height

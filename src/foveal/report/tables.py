"""Tables of the page as plain values, so that the template only has to walk through them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from foveal.core.units import show_seconds
from foveal.core.wording import counted
from foveal.report.words import Document

Row = TypeVar("Row")

_SHORT = 2  # letters of a class name that fit over a column
_ROOMY, _MEDIUM = 12, 30  # classes up to which a confusion matrix has large and small numbers
_WHOLE, _SHOWN = 100, 50  # classes up to which all are in the matrix; those that are shown of more


@dataclass(frozen=True)
class Cell:
    """How often one class was taken for one class.

    Attributes:
        count: Images.
        share: Of the images of the true class.
        right: Whether truth and answer agree.
        says: The same in words.
        mistake: Number of the first of the worst mistakes that lies in this cell, or None.
    """

    count: int
    share: float
    right: bool
    says: str
    mistake: int | None


@dataclass(frozen=True)
class ConfusionTable:
    """The confusion matrix for the page.

    Attributes:
        density: `roomy`, `medium` or `tight`, by the number of classes.
        names: The classes that have a row and a column: all, or of very many those most often confused.
        short_names: Whether the class names fit over their columns without being turned.
        rows: True class, its number of images, one cell per answer; None where it never happened.
    """

    density: str
    names: tuple[str, ...]
    short_names: bool
    rows: tuple[tuple[str, int, tuple[Cell | None, ...]], ...]


def confusion_table(document: Document) -> ConfusionTable:
    """Return the confusion matrix with a link from each cell to a mistake that is shown."""
    classes, matrix = document["classes"], document["confusion"]
    places = range(len(classes)) if len(classes) <= _WHOLE else _most_confused(matrix)
    shown: dict[tuple[str, str], int] = {}
    for number, mistake in enumerate(document["worst_mistakes"], 1):
        shown.setdefault((mistake["truth"], mistake["label"]), number)
    rows = []
    for row in places:
        truth, counts = classes[row], matrix[row]
        n = sum(counts)
        cells = (
            Cell(k, k / n, truth == label, _says(k, truth, label), shown.get((truth, label))) if k else None
            for label, k in ((classes[column], counts[column]) for column in places)
        )
        rows.append((truth, n, tuple(cells)))
    names = tuple(classes[place] for place in places)
    density = "roomy" if len(names) <= _ROOMY else "medium" if len(names) <= _MEDIUM else "tight"
    short_names = density != "tight" and max(map(len, names), default=0) <= _SHORT
    return ConfusionTable(density, names, short_names, tuple(rows))


def origin(document: Document) -> list[tuple[str, str]]:
    """Return what was measured, on what and with what, as label and value; unknown facts are left out."""
    facts = document["provenance"]
    rows = [
        ("Bundle", document["bundle"]),
        ("Digest", document["digest"]),
        ("Images measured", f"{document['images']:,} ({document['split']})"),
        ("Data fingerprint", facts.get("fingerprint")),
        ("Split seed", facts.get("split_seed")),
        ("Processor", facts.get("cpu")),
        ("Threads", facts.get("threads")),
        ("Engine", facts.get("engine")),
        ("foveal", facts.get("foveal")),
        ("Python", facts.get("python")),
        ("Time to measure", _show(facts.get("seconds"), show_seconds)),
        (
            "Speed while measuring",
            _show(facts.get("images_per_second"), lambda rate: f"{rate:,.0f} images/s"),
        ),
    ]
    return [(label, str(value)) for label, value in rows if value is not None]


def thinned(rows: Sequence[Row], most: int) -> list[Row]:
    """Return at most `most` rows, evenly spread, the first and the last among them.

    >>> thinned(list(range(100)), 4)
    [0, 33, 66, 99]
    """
    if len(rows) <= most:
        return list(rows)
    return [rows[round(place * (len(rows) - 1) / (most - 1))] for place in range(most)]


def _most_confused(matrix: Sequence[Sequence[int]]) -> list[int]:
    """Return the classes of the most frequent confusions, in their order; none where nothing was confused."""
    wrong = np.array(matrix, dtype=np.int64)
    np.fill_diagonal(wrong, 0)
    found: set[int] = set()
    for place in np.argsort(-wrong, axis=None, kind="stable")[: np.count_nonzero(wrong)].tolist():
        pair = set(divmod(place, len(wrong)))
        if len(found | pair) > _SHOWN:
            break
        found |= pair
    return sorted(found)


def _show(value: float | None, text: Any) -> Any:
    return None if value is None else text(value)


def _says(number: int, truth: str, label: str) -> str:
    if truth == label:
        return f"{counted(number, 'image')} of “{truth}” recognized"
    return f"{counted(number, 'image')} of “{truth}” taken for “{label}”"

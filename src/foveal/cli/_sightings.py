"""How `foveal predict` prints what is where on one picture after the other, as they come."""

import csv
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Union

from foveal.cli._frame import print_json
from foveal.core.text import visible
from foveal.core.types import Sighting

if TYPE_CHECKING:
    from foveal.bundle.predictor import Unreadable

Seen = Union[Sighting, "Unreadable"]
Print = Callable[[Seen], None]

_COLUMNS = (
    "source", "label", "confidence", "left", "top", "right", "bottom", "attributes", "error", "message",
)  # fmt: skip
_AREAS = ("source", "label", "share", "error", "message")
_NOTHING = "nothing"


def style(*, areas: bool, lines: bool, table: bool, kept: list[dict[str, Any]] | None) -> Print:
    """Return what prints, or keeps, each answer as it comes.

    Args:
        areas: Of a segmentation: a row of a table says which share a class covers.
        lines: A JSON object for each picture.
        table: CSV: a row for each object, or each class.
        kept: Gets the answers as JSON objects instead; None: they are printed.
    """
    if kept is not None:
        return lambda seen: kept.append(seen.as_json())
    if lines:
        return lambda seen: print_json(seen.as_json())
    return _table(areas=areas) if table else _for_people()


def _table(*, areas: bool) -> Print:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    columns = _AREAS if areas else _COLUMNS
    writer.writerow(columns)

    def write(seen: Seen) -> None:
        for row in _rows(seen, len(columns)):
            writer.writerow(row)
        sys.stdout.flush()  # who reads may wait for this answer

    return write


def _rows(seen: Seen, columns: int) -> list[Sequence[Any]]:
    """Return a row for each object or area; one without a label where there is none."""
    if not isinstance(seen, Sighting):
        return [(seen.source, *[""] * (columns - 3), seen.error.code, seen.error.message)]
    if seen.areas is not None and not seen.with_objects:
        return [(seen.source, label, share, "", "") for label, share in seen.areas.items()]
    rows: list[Sequence[Any]] = [
        (seen.source, one.label, one.confidence, *one.box, _told(one.attributes), "", "")
        for one in seen.objects
    ]
    return rows or [(seen.source, *[""] * (columns - 1))]


def _told(attributes: Mapping[str, str]) -> str:
    """Return what is told of an object beside its class, such as `colour=red;type=van`."""
    return ";".join(f"{name}={value}" for name, value in attributes.items())


def _for_people() -> Print:
    def write(seen: Seen) -> None:
        source = visible(seen.source)
        words = said(seen) if isinstance(seen, Sighting) else visible(seen.error.message)
        print(f"{source}: {words}", flush=True)

    return write


def said(seen: Sighting) -> str:
    """Return what was found on a picture in a few words: counts, or shares of its area."""
    if seen.areas is not None and not seen.with_objects:
        covered = sorted(seen.areas.items(), key=lambda item: -item[1])
        return ", ".join(f"{visible(label)} {share:.1%}" for label, share in covered if share > 0) or _NOTHING
    counts = sorted(seen.counts.items())
    return ", ".join(f"{count} {visible(label)}" for label, count in counts) or _NOTHING

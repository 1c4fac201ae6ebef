"""How `foveal predict` prints what is where on one picture after the other, as they come."""

import csv
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Union

from foveal.cli._frame import print_json
from foveal.core.task import AREA_TASKS, OBJECT_TASKS
from foveal.core.text import visible
from foveal.core.types import Sighting

if TYPE_CHECKING:
    from foveal.bundle.predictor import Unreadable

Seen = Union[Sighting, "Unreadable"]
Print = Callable[[Seen], None]

_OBJECT = ("confidence", "left", "top", "right", "bottom", "attributes")
_SHARE = ("share",)
_SCORE = ("score",)
_NAMED, _FAILED = ("source", "label"), ("error", "message")
_NOTHING = "nothing"


def style(task: str, *, lines: bool, table: bool, kept: list[dict[str, Any]] | None) -> Print:
    """Return what prints, or keeps, each answer as it comes.

    Args:
        task: Of the recognizer; it decides which columns a table has.
        lines: A JSON object for each picture.
        table: CSV: a row for each object, and for each class whose share of the picture is told.
        kept: Gets the answers as JSON objects instead; None: they are printed.
    """
    if kept is not None:
        return lambda seen: kept.append(seen.as_json())
    if lines:
        return lambda seen: print_json(seen.as_json())
    return _table(task) if table else _for_people()


def _table(task: str) -> Print:
    shared = task in AREA_TASKS or task == "defect"
    told = (*(_OBJECT if task in OBJECT_TASKS else ()), *(_SHARE if shared else ()))
    told = (*told, *(_SCORE if task == "defect" else ()))
    columns = (*_NAMED, *told, *_FAILED)
    writer = csv.DictWriter(sys.stdout, columns, lineterminator="\n")
    writer.writeheader()

    def write(seen: Seen) -> None:
        writer.writerows({"source": seen.source, **row} for row in _rows(seen))
        sys.stdout.flush()  # who reads may wait for this answer

    return write


def _rows(seen: Seen) -> list[dict[str, Any]]:
    """Return a row for each object and area; one without a label where there is none."""
    if not isinstance(seen, Sighting):
        return [{"error": seen.error.code, "message": seen.error.message}]
    rows: list[dict[str, Any]] = []
    for one in seen.objects:
        told = (one.confidence, *one.box, _told(one.attributes))
        rows.append({"label": one.label, **dict(zip(_OBJECT, told, strict=True))})
    score = {} if seen.score is None else {"score": seen.score}
    rows += [{"label": label, "share": share, **score} for label, share in (seen.areas or {}).items()]
    return rows or [{}]


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
    """Return what was found on a picture in a few words: its score, counts, shares of its area."""
    counts = [f"{count} {visible(label)}" for label, count in sorted(seen.counts.items())]
    covered = sorted((seen.areas or {}).items(), key=lambda item: -item[1])
    shares = [f"{visible(label)} {share:.1%}" for label, share in covered if share > 0]
    score = [] if seen.score is None else [f"score {seen.score:.4g}"]
    return "; ".join(", ".join(some) for some in (score, counts, shares) if some) or _NOTHING

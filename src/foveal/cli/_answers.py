"""How `foveal predict` prints one answer after the other, as they come."""

import csv
import json
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Union

from foveal.cli._frame import print_json
from foveal.core.text import visible
from foveal.core.types import Label

if TYPE_CHECKING:
    from foveal.bundle.predictor import Unreadable

Answer = Union[Label, "Unreadable"]
Print = Callable[[Answer], None]

_COLUMNS = ("source", "label", "confidence", "abstain", "set", "error", "message", "unknown")
_WIDEST = 24  # letters of a column of names


def as_lines(answer: Answer) -> None:
    """Print one JSON object on one line."""
    print_json(answer.as_json())


def as_table() -> Print:
    """Print the head of a CSV table and return what prints its rows; `set` is a JSON list of names."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(_COLUMNS)

    def write(answer: Answer) -> None:
        if not isinstance(answer, Label):
            writer.writerow((answer.source, *[""] * 4, answer.error.code, answer.error.message, ""))
        else:
            abstain, unknown = (_word(said) for said in (answer.abstain, answer.unknown))
            members = json.dumps(answer.set, ensure_ascii=False)
            row = (answer.source, answer.label, answer.confidence, abstain, members, "", "", unknown)
            writer.writerow(row)
        sys.stdout.flush()  # who reads may wait for this answer

    return write


def into(predictions: list[dict[str, Any]]) -> Print:
    """Return what keeps answers as JSON objects, for the one document at the end."""
    return lambda answer: predictions.append(answer.as_json())


def for_people(classes: Sequence[str]) -> Print:
    """Print the head of a table on a terminal and return what prints its rows."""
    width = min(_WIDEST, max(5, *(len(visible(name)) for name in classes)))
    row = f"{{:<{width}}}  {{:>10}}  {{:<7}}  {{:<{_WIDEST}}}  {{}}"
    print(row.format("label", "confidence", "answers", "set", "source"))

    def write(answer: Answer) -> None:
        source = visible(answer.source)
        if not isinstance(answer, Label):
            print(row.format("–", "–", "–", "–", f"{source}: {visible(answer.error.message)}"), flush=True)
            return
        label, members = _short(answer.label, width), _short(", ".join(answer.set), _WIDEST)
        answers = {None: "–", True: "no", False: "yes"}[answer.abstain]
        if answer.unknown:
            answers = "unknown"
        print(row.format(label, f"{answer.confidence:.1%}", answers, members, source), flush=True)

    return write


def _word(said: bool | None) -> str:
    return "" if said is None else str(said).lower()


def _short(text: str, width: int) -> str:
    text = visible(text)
    return text if len(text) <= width else text[: width - 1] + "…"

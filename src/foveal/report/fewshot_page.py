"""One self-contained page of a few-shot training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from foveal.data.dataset import UInt8
from foveal.report.drawing import PALETTE
from foveal.report.figures import Row, learning_charts
from foveal.report.page import templates
from foveal.report.pictures import embed


@dataclass(frozen=True)
class Example:
    """A class of a task.

    Attributes:
        name: Of the class.
        support: Pictures that show it, uint8 (H, W, C).
        query: Pictures that were asked about, with the class that each was taken for.
    """

    name: str
    support: tuple[UInt8, ...] = field(repr=False)
    query: tuple[tuple[UInt8, str], ...] = field(repr=False)


def fewshot_page(
    document: Mapping[str, Any], *, history: Sequence[Row], task: Sequence[Example] | None
) -> str:
    """Return a few-shot training as one HTML page that loads nothing from outside.

    Args:
        document: `foveal.fewshot/1` of a training.
        history: Rows of the learning curve.
        task: One task of classes that were not learned from, as far as there are any.
    """
    rows = [
        {
            "name": example.name,
            "support": [embed(pixels) for pixels in example.support],
            "query": [(embed(pixels), said, said == example.name) for pixels, said in example.query],
        }
        for example in task or ()
    ]
    return (
        templates()
        .get_template("fewshot.html.j2")
        .render(
            name=PurePath(document["run"]).name,
            document=document,
            charts=learning_charts(history),
            task=rows,
            palette=PALETTE,
        )
    )

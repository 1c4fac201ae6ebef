"""One self-contained page of pictures that are like each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from foveal.core.text import visible
from foveal.data import decode
from foveal.metrics.error_rates import ErrorRates
from foveal.report.chart import Chart
from foveal.report.drawing import PALETTE, svg
from foveal.report.page import templates
from foveal.report.pictures import Embedded, embed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_POINTS = 200  # of a curve


@dataclass(frozen=True)
class Found:
    """A picture as the page takes it.

    Attributes:
        source: What it is called.
        picture: To be looked at.
        score: How like the query it is, in [-1, 1]; None: it is no result.
    """

    source: str
    picture: Embedded = field(repr=False)
    score: float | None = None

    @classmethod
    def of(cls, source: str, content: bytes, score: float | None = None) -> "Found":
        """Return a picture file as the page takes it."""
        return cls(visible(source), embed(decode.decode(content, 3)), score)


@dataclass(frozen=True)
class Group:
    """Pictures under a title."""

    title: str
    pictures: Sequence[Found]


def error_chart(rates: Mapping[str, ErrorRates]) -> Chart:
    """Draw how many of the same are refused against how many others are accepted, for each way."""
    shown = {name: _thinned(one) for name, one in rates.items()}

    def paint(axes: "Axes") -> None:
        for name, (accepts, rejects) in shown.items():
            axes.plot(accepts, rejects, label=name)
        axes.plot([0, 1], [0, 1], color="0.6", linestyle=":", linewidth=1)
        axes.set_xlabel("pairs of different people that are accepted")
        axes.set_ylabel("pairs of one person that are not")
        axes.legend()

    return Chart(
        name="errors",
        title="Both kinds of error at every threshold",
        says="Where a curve meets the dotted line, both are as frequent.",
        columns=("way", "false accepts", "false rejects"),
        rows=tuple((name, *pair) for name, both in shown.items() for pair in zip(*both, strict=True)),
        svg=svg("errors", paint, height=3.2),
    )


def _thinned(rates: ErrorRates) -> tuple[list[float], list[float]]:
    """Return at most 200 points of a curve, evenly over it."""
    at = np.unique(np.linspace(0, len(rates.thresholds) - 1, _POINTS).astype(int))
    return rates.false_accepts[at].tolist(), rates.false_rejects[at].tolist()


def search_page(name: str, summary: str, groups: Sequence[Group], charts: Sequence[Chart] = ()) -> str:
    """Return groups of pictures as one HTML page that loads nothing from outside.

    Args:
        name: Title of the page.
        summary: A sentence or two below it.
        groups: In order; neither these nor charts: the page says so.
        charts: Drawings below them.
    """
    page = templates().get_template("search.html.j2")
    return page.render(
        name=visible(name), summary=visible(summary), groups=groups, charts=charts, palette=PALETTE
    )

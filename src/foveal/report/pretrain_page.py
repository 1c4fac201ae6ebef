"""The page of a training without labels: what was asked, what became alike, what the features are worth."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from foveal.core import catalog
from foveal.data.dataset import UInt8
from foveal.report import words
from foveal.report.chart import Chart
from foveal.report.drawing import ACCENT, MUTED, PALETTE, WARM, svg
from foveal.report.figures import learning_charts
from foveal.report.page import templates
from foveal.report.pictures import embed

_SIDE = 96  # pixels of a picture on the page: there are many
# What a network is asked, a sentence a method; the page shows it.
_QUESTIONS = {
    "rotation": "By how many quarter turns was the picture turned?",
    "jigsaw": "In which order were the tiles of the picture laid?",
    "simclr": "Which of all other views in the batch is of the same picture?",
    "moco": "Which view is of the same picture, among all in a queue of those that were seen before? "
    "The loss rises as the queue fills.",
    "dino": "What would a slower copy of the network say about a larger part of the picture?",
    "mae": "What is in the patches that are hidden? The last picture of each row has what the network put "
    "there; each patch got its own brightness and contrast back, which the network is not asked for.",
}
# Against the network before; no more is said than two intervals say.
_VERDICTS = {
    "better": "better than the network before",
    "worse": "worse than the network before: another method, or a longer training, is needed",
    "not shown": "not shown to be better than the network before, with so many pictures asked about",
}


@dataclass(frozen=True)
class Alike:
    """A picture with those that a network finds most like it.

    Attributes:
        picture: uint8 (H, W, C).
        name: Its class, or "".
        nearest: The most similar ones, first the nearest.
        names: Their classes, or "".
        similarities: Cosines of the features.
    """

    picture: UInt8 = field(repr=False)
    name: str
    nearest: tuple[UInt8, ...] = field(repr=False)
    names: tuple[str, ...]
    similarities: tuple[float, ...]


def pretrain_page(
    document: Mapping[str, Any],
    *,
    history: Sequence[Mapping[str, Any]],
    asked: Sequence[Sequence[UInt8]],
    alike: Sequence[Alike],
) -> str:
    """Return the report as one HTML page that loads nothing from outside.

    Args:
        document: `foveal.pretrain/1`.
        history: Rows of `history.jsonl`.
        asked: Rows of a picture and what the network was shown of it, uint8 (H, W, C) each.
        alike: Some pictures with their nearest.
    """
    page = templates().get_template("pretrain.html.j2")
    return page.render(
        name=f"{catalog.spoken(document['method'])} on {document['model']}",
        document=document,
        probe=document["probe"],
        untrained=document["baseline"]["untrained"],
        pixels=document["baseline"]["pixels"],
        verdicts=_VERDICTS,
        quoted_run=shlex.quote(document["run"]),
        question=_QUESTIONS[document["method"]],
        asked=[[embed(one, longest=_SIDE) for one in row] for row in asked],
        alike=[
            (
                one,
                embed(one.picture, longest=_SIDE),
                list(
                    zip(
                        [embed(p, longest=_SIDE) for p in one.nearest],
                        one.names,
                        one.similarities,
                        strict=True,
                    )
                ),
            )
            for one in alike
        ],
        charts={**learning_charts(history), "probes": probe_curve(document["probes"])},
        palette=PALETTE,
    )


def probe_curve(rows: Sequence[Mapping[str, Any]]) -> Chart:
    """Draw what neighbours and planes know of the labels, or where nothing is labelled the effective rank.

    Args:
        rows: `probes` of the document, the untrained network first.
    """
    seen = np.array([row["seen"] for row in rows], dtype=np.float64) / 1e3
    named = rows[0]["knn"] is not None

    def paint(axes: Axes) -> None:
        axes.set(xlabel="thousand pictures seen")
        axes.grid(axis="y")
        if not named:
            axes.plot(seen, [row["rank"] for row in rows], color=ACCENT, marker="o", ms=3)
            axes.set(ylabel="effective rank of the features")
            return
        for key, color, label in (("knn", ACCENT, "neighbours"), ("linear", WARM, "planes")):
            value, low, high = (
                np.array([row[key][part] for row in rows]) for part in ("value", "low", "high")
            )
            axes.fill_between(seen, low, high, color=color, alpha=0.25, linewidth=0)
            axes.plot(seen, value, color=color, marker="o", ms=3, label=label)
        axes.axhline(rows[0]["knn"]["value"], color=MUTED, linewidth=0.8, linestyle=(0, (4, 2)))
        axes.set(ylabel="share of right answers")
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.legend()

    if named:
        first, last = (words.percent(rows[place]["knn"]["value"]) for place in (0, -1))
        says = f"Neighbours by the features name {first} of the pictures at first, and {last} at the end."
    else:
        first, last = (f"{rows[place]['rank']:.1f}" for place in (0, -1))
        says = f"The features have an effective rank of {first} at first, and {last} at the end."
    shares = [f"{key}{part}" for key in ("knn", "linear") for part in ("", "_low", "_high")] if named else []
    return Chart(
        name="probes",
        title="What the features are worth while they are learned",
        says=says,
        columns=("step", "seen", "rank", "spread", *shares),
        rows=tuple(
            (
                row["step"],
                row["seen"],
                row["rank"],
                row["spread"],
                *(row[key][part] for key in ("knn", "linear") for part in ("value", "low", "high") if named),
            )
            for row in rows
        ),
        svg=svg("probes", paint),
    )

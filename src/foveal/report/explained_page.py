"""One self-contained page: pictures with what their answers rest on, then what each depth knows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from foveal.data.dataset import UInt8
from foveal.explain.explanation import Explanation
from foveal.explain.faithfulness import without_peak
from foveal.explain.neighbours import NearPicture
from foveal.explain.overlay import colours, overlay, ramp
from foveal.report import explained_words
from foveal.report.chart import Chart
from foveal.report.comparisons import intervals
from foveal.report.drawing import PALETTE, svg
from foveal.report.page import templates
from foveal.report.pictures import Embedded, embed
from foveal.report.words import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from foveal.explain.feature_maps import FeatureMaps

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Drawn:
    """A map as the page takes it.

    Attributes:
        entry: Its entry of the document.
        overlay: The map over the picture.
        without: The picture with the most important tenth hidden.
    """

    entry: Document
    overlay: Embedded
    without: Embedded


@dataclass(frozen=True)
class Shown:
    """A picture with its maps.

    Attributes:
        picture: At model size.
        maps: One, or two for a mistake: the answer and the true class.
        near: The nearest training pictures.
    """

    picture: Embedded
    maps: tuple[Drawn, ...]
    near: tuple[tuple[NearPicture, Embedded], ...] = field(repr=False)


def explained_page(
    document: Document,
    explanations: Sequence[Explanation],
    *,
    features: "Mapping[str, Sequence[FeatureMaps]]",
    neighbours: Mapping[str, Sequence[NearPicture]],
) -> str:
    """Return the explanation of a recognizer as one HTML page that loads nothing from outside.

    Args:
        document: The `foveal.explain/1` document; its first entries are those of `explanations`.
        explanations: With their pictures and maps.
        features: The strongest filters of each depth, by picture.
        neighbours: The nearest training pictures, by picture.
    """
    page = templates().get_template("explain.html.j2")
    return page.render(
        name=PurePath(document["model"]).stem,
        document=document,
        explained=explained_words,
        shown=_shown(document, explanations, neighbours),
        failed=document["explanations"][len(explanations) :],
        features=[(source, _rows(found)) for source, found in features.items()],
        probes=probe_chart(document["probes"]) if document["probes"] else None,
        scale=embed(np.repeat(ramp()[None, ::4], 4, axis=0)),
        palette=PALETTE,
    )


def probe_chart(probes: Sequence[Document]) -> Chart:
    """Draw what a linear classifier reads off at each depth, with its interval, the pixels on top."""
    names = [f"{probe['depth']}  {probe['layer']}" for probe in probes]
    values = [probe["accuracy"] for probe in probes]

    def paint(axes: "Axes") -> None:
        intervals(axes, names, values)
        axes.set_xlabel("accuracy of a linear classifier")

    return Chart(
        name="probes",
        title="What can be read off at each depth",
        says="; ".join(f"{probe['layer']} {percent(probe['accuracy']['value'])}" for probe in probes),
        columns=("depth", "layer", "shape", "features", "accuracy", "low", "high", "n"),
        rows=tuple(
            (
                *(probe[key] for key in ("depth", "layer")),
                "×".join(map(str, probe["shape"])),
                probe["features"],
                *(probe["accuracy"][key] for key in ("value", "low", "high", "n")),
            )
            for probe in probes
        ),
        svg=svg("probes", paint, height=0.8 + 0.25 * len(names)),
    )


def _shown(
    document: Document,
    explanations: Sequence[Explanation],
    neighbours: Mapping[str, Sequence[NearPicture]],
) -> list[Shown]:
    maps: dict[str, list[Drawn]] = {}
    pictures: dict[str, UInt8] = {}
    for one, entry in zip(explanations, document["explanations"], strict=False):
        pictures[one.source] = one.image
        hidden = embed(without_peak(one.image, one.heatmap))
        maps.setdefault(one.source, []).append(Drawn(entry, embed(overlay(one.image, one.heatmap)), hidden))
    return [
        Shown(
            embed(picture),
            tuple(maps[source]),
            tuple((near, embed(near.image)) for near in neighbours.get(source, ())),
        )
        for source, picture in pictures.items()
    ]


def _rows(found: "Sequence[FeatureMaps]") -> list[tuple[str, str, list[tuple[int, Embedded]]]]:
    """Return title and shape of each depth, and its filters with their drawings."""
    return [
        (
            one.layer.title,
            "×".join(map(str, one.layer.shape)),
            [(number, embed(colours(answer))) for number, answer in zip(one.filters, one.maps, strict=True)],
        )
        for one in found
    ]

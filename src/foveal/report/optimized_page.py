"""One self-contained page about a search for a smaller and faster recognizer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from foveal.core.units import show_bytes
from foveal.report import optimized_cells, optimized_doubts, optimized_words
from foveal.report.drawing import PALETTE
from foveal.report.frontier import accuracy_and_size, accuracy_and_time
from foveal.report.optimized_measure import measure_of
from foveal.report.page import templates
from foveal.report.roofline_figure import variants_figure
from foveal.report.words import Document

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Kept:
    """One limit, and what was found.

    Attributes:
        name: Of what.
        allowed: For people.
        found: Of the recommended variant, with its interval; without one the best that any variant reaches.
        says: Whether it is kept.
        broken: Whether it is not.
    """

    name: str
    allowed: str
    found: str
    says: str
    broken: bool


def optimized_page(document: Document) -> str:
    """Return a search as one HTML page that loads nothing from outside; it holds no picture.

    Args:
        document: `foveal.optimize/1`.
    """
    return (
        templates()
        .get_template("optimized.html.j2")
        .render(
            name=optimized_words.headline(document),
            document=document,
            says=optimized_words,
            cells=optimized_cells,
            doubts=optimized_doubts,
            measure=measure_of(document),
            chosen=optimized_words.recommended(document),
            limits=limits(document),
            rows={row["name"]: row for row in document["variants"]},
            roof=variants_figure(document),
            charts=[accuracy_and_time(document), accuracy_and_size(document)],
            palette=PALETTE,
        )
    )


def limits(document: Document) -> list[Kept]:
    """Return every limit that was set, with what was found of the recommended variant, or of all."""
    row = optimized_words.recommended(document)
    allowed, nearest, measure = document["limits"], document["nearest"], measure_of(document)
    names: dict[str, tuple[str, float | None, Callable[[float], str]]] = {
        "latency_ms": ("time of one picture", allowed["latency_ms"], _show_ms),
        "p99_ms": ("time of 99 in 100 pictures", allowed["p99_ms"], _show_ms),
        "size_bytes": ("size of the file", allowed["size_bytes"], show_bytes),
        "memory_bytes": ("memory", allowed["memory_bytes"], show_bytes),
        "drop": (
            measure.lost,
            allowed["drop"],
            lambda value: optimized_words.allowance(value, measure),
        ),
    }
    found = []
    for key, (name, most, show) in names.items():
        if most is None:
            continue
        if row is None:
            reached = {key: nearest[key]} if key in nearest else {}
            best = (
                optimized_words.reachable(reached, document["variants"], measure)
                if key in nearest
                else "no obstacle"
            )
            says = "binds" if key in nearest else "every variant keeps it"
            found.append(Kept(name, show(most), best, says, broken=key in nearest))
        else:
            value, high, told = _of(key, document, row)
            found.append(Kept(name, show(most), told, *_kept(value, high, most)))
    return found


def _show_ms(value: float) -> str:
    return f"{value:.3g} ms"


def _of(key: str, document: Document, row: Row) -> tuple[float | None, float | None, str]:
    """Return what was found of a variant: the value, the upper end of its interval, and both for people."""
    if key in ("latency_ms", "p99_ms"):
        quantile = "p50" if key == "latency_ms" else "p99"
        latency = row["latency_ms"]
        return latency[quantile], latency[f"{quantile}_high"], optimized_cells.milliseconds(latency, quantile)
    if key == "size_bytes":
        return row["size_bytes"], row["size_bytes"], show_bytes(row["size_bytes"])
    if key == "memory_bytes":
        peak = row["peak_rss_bytes"]
        return peak, peak, "not measured" if peak is None else f"{show_bytes(peak)} (one process, peak)"
    if optimized_cells.is_original(row):
        return 0.0, 0.0, "none: it is the original"
    drop = row["drop"] if document["test"] is None else document["test"]["drop"]
    return drop["value"], drop["high"], optimized_words.found(drop, measure_of(document))


def _kept(value: float | None, high: float | None, most: float) -> tuple[str, bool]:
    """Return whether a limit is kept, for people and as a fact."""
    if value is None:
        return "not known", False
    if value > most:
        return "not kept", True
    if high is None or high > most:
        return "kept by the estimate; the interval reaches beyond", False
    return "kept", False

"""One self-contained page about a search for a smaller and faster recognizer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from foveal.core.units import show_bytes
from foveal.report import optimized_words
from foveal.report.drawing import PALETTE
from foveal.report.frontier import accuracy_and_size, accuracy_and_time
from foveal.report.optimized_measure import measure_of
from foveal.report.page import templates
from foveal.report.words import Document

Row = Mapping[str, Any]

_LOWERED = "-int8"  # ends the name of a variant that is another one with smaller numbers


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


@dataclass(frozen=True)
class Effect:
    """What the last step to a variant gained and cost.

    Attributes:
        name: Of the variant.
        against: Of that which it was made from or is compared with.
        step: What was done.
        times: Factor of speed: value, low and high; low and high None where rounds were too few.
        lost: Accuracy lost as a share: value, low and high.
        size: Its file as a share of the other's.
        memory: Bytes more that a process needs, below 0 less; None where that was not measured.
        derived: Whether the intervals follow from two others instead of a comparison of both.
    """

    name: str
    against: str
    step: str
    times: tuple[float, float | None, float | None]
    lost: tuple[float, float, float]
    size: float
    memory: int | None
    derived: bool


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
            measure=measure_of(document),
            chosen=optimized_words.recommended(document),
            limits=limits(document),
            effects=effects(document["variants"]),
            charts=[accuracy_and_time(document), accuracy_and_size(document)],
            palette=PALETTE,
        )
    )


def limits(document: Document) -> list[Kept]:
    """Return every limit that was set, with what was found of the recommended variant, or of all."""
    row = optimized_words.recommended(document)
    allowed, nearest, measure = document["limits"], document["nearest"], measure_of(document)
    names: dict[str, tuple[str, float | None, Callable[[float], str]]] = {
        "latency": ("time of one picture", allowed["latency_ms"], lambda value: f"{value:.3g} ms"),
        "size": ("size of the file", allowed["size_bytes"], show_bytes),
        "memory": ("memory", allowed["memory_bytes"], show_bytes),
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
            best = optimized_words.reachable(reached, measure) if key in nearest else "no obstacle"
            says = "binds" if key in nearest else "every variant keeps it"
            found.append(Kept(name, show(most), best, says, broken=key in nearest))
        else:
            value, high, told = _of(key, document, row)
            found.append(Kept(name, show(most), told, *_kept(value, high, most)))
    return found


def _of(key: str, document: Document, row: Row) -> tuple[float | None, float | None, str]:
    """Return what was found of a variant: the value, the upper end of its interval, and both for people."""
    if key == "latency":
        latency = row["latency_ms"]
        return latency["p50"], latency["p50_high"], optimized_words.milliseconds(latency)
    if key == "size":
        return row["size_bytes"], row["size_bytes"], show_bytes(row["size_bytes"])
    if key == "memory":
        peak = row["peak_rss_bytes"]
        return peak, peak, "not measured" if peak is None else f"{show_bytes(peak)} (one process, peak)"
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


def effects(variants: list[Row]) -> list[Effect]:
    """Return what each step gained and cost: int8 beside the same variant before, others beside the first.

    Two variants were each compared with the original only. What they differ by lies between the ends of both
    95 % intervals set against each other; by Bonferroni's inequality that holds in at least 90 % of cases.

    Args:
        variants: Of `foveal.optimize/1`, the original first.
    """
    named = {row["name"]: row for row in variants}
    original = variants[0]
    found = []
    for row in variants[1:]:
        before = named.get(row["name"].removesuffix(_LOWERED), original)
        before = original if before is row else before
        found.append(_effect(row, before, derived=before is not original))
    return found


def _effect(row: Row, before: Row, *, derived: bool) -> Effect:
    own, other = row["time_ratio"], before["time_ratio"]
    lost, earlier = row["drop"], before["drop"]
    peaks = row["peak_rss_bytes"], before["peak_rss_bytes"]
    steps = row["steps"][len(before["steps"]) :] or row["steps"]
    return Effect(
        name=row["name"],
        against=before["name"],
        step=", ".join(steps),
        times=(
            other["value"] / own["value"],
            _quotient(other["low"] if derived else 1.0, own["high"]),
            _quotient(other["high"] if derived else 1.0, own["low"]),
        ),
        lost=(
            lost["value"] - earlier["value"] if derived else lost["value"],
            lost["low"] - earlier["high"] if derived else lost["low"],
            lost["high"] - earlier["low"] if derived else lost["high"],
        ),
        size=row["size_bytes"] / before["size_bytes"],
        memory=None if None in peaks else peaks[0] - peaks[1],
        derived=derived,
    )


def _quotient(above: float | None, below: float | None) -> float | None:
    return None if above is None or below is None else above / below

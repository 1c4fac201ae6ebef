"""Which variant to take, which are worth showing, and why the others are not: pure functions.

A difference in accuracy counts with its paired interval, one in time only beyond the noise of the same file
timed twice (docs/decisions/0015-bench.md).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from dataclasses import field as attribute

import numpy as np
from numpy.typing import NDArray

from foveal.core.types import Measured
from foveal.core.units import show_bytes, show_seconds
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.optimize.budget import Budget
from foveal.optimize.variant import Pictures, Variant

_GAIN = 0.05  # a file that is smaller by less than this share is no reason to take another one


@dataclass(frozen=True)
class Judged:
    """What is said of one variant.

    Attributes:
        variant: The file.
        accuracy: Share of the pictures that it names correctly; without labels: as the original does.
        drop: By how much less often than the original, on the same pictures.
        broken: Limits that it does not keep: `latency`, `p99`, `size`, `memory`, `drop`.
        code: `original`, `recommended`, `feasible`, `dominated`, `no_real_gain` or `outside`.
        words: The same for people.
        pareto: No other is better in one respect and as good in all others.
    """

    variant: Variant
    accuracy: Measured
    drop: Measured
    broken: tuple[str, ...]
    code: str
    words: str
    pareto: bool


@dataclass(frozen=True)
class Outcome:
    """What the search comes to.

    Attributes:
        rows: One for each variant, the original first.
        recommended: Its name, or None where no variant keeps the limits.
        feasible: Whether some variant keeps all limits.
        words: One sentence for people: what is recommended, or what would be feasible.
        nearest: Where nothing is feasible: for each limit that binds, the best value among the variants that
            keep the others, or among all: `latency` and `p99` in seconds, `size` and `memory` in bytes.
    """

    rows: tuple[Judged, ...] = attribute(repr=False)
    recommended: str | None
    feasible: bool
    words: str
    nearest: dict[str, float]


@dataclass(frozen=True)
class Field:
    """All variants side by side.

    Attributes:
        variants: The original first; all measured on the same pictures and timed in the same rounds.
        pictures: What they were measured on.
        faster: Whether the first of each pair is really faster than the second, bool (N, N).
    """

    variants: Sequence[Variant]
    pictures: Pictures
    faster: NDArray[np.bool_]

    def drop(self, before: int, after: int) -> Measured:
        """Return by how much less often one is right than another; of the original's answers what changed."""
        if before == 0 and not self.pictures.labelled:
            return self.pictures.changed(self.variants[after].answers)
        return self.pictures.drop(self.variants[before].answers, self.variants[after].answers)

    def cost(self, before: int, after: int) -> Measured:
        """Return what a step costs: accuracy lost; without labels the share of answers that it changes."""
        if self.pictures.labelled:
            return self.drop(before, after)
        counted = self.pictures.counted
        differ = self.variants[before].answers[counted] != self.variants[after].answers[counted]
        return clopper_pearson(int(differ.sum()), len(differ))

    def gains(self, place: int) -> bool:
        """Return whether one is really faster than the original, or clearly smaller and not slower."""
        if self.faster[place, 0]:
            return True
        smaller = self.variants[place].size_bytes < (1 - _GAIN) * self.variants[0].size_bytes
        return smaller and not self.faster[0, place]

    def dominated(self, place: int) -> bool:
        """Return whether another is as accurate, fast and small by the estimates, and really better in one.

        Really more accurate: the paired interval of their difference excludes 0.
        """
        own = self.variants[place]
        for other, variant in enumerate(self.variants):
            if other == place:
                continue
            drop = self.drop(other, place)  # what is lost by taking `place` instead
            as_good = drop.value >= 0 and variant.size_bytes <= own.size_bytes
            as_good = as_good and variant.speed.ratio <= own.speed.ratio
            better = drop.low > 0 or self.faster[other, place] or variant.size_bytes < own.size_bytes
            if as_good and better:
                return True
        return False


def decide(field: Field, budget: Budget) -> Outcome:
    """Judge all variants.

    Args:
        field: The variants.
        budget: The limits.
    """
    variants, pictures = field.variants, field.pictures
    original = variants[0]
    drops = [field.drop(0, place) for place in range(len(variants))]
    broken = [_broken(v, original, drop, budget) for v, drop in zip(variants, drops, strict=True)]
    keep = [place for place, limits in enumerate(broken) if not limits]
    front = {place for place in range(len(variants)) if not field.dominated(place)}
    chosen = _recommended(keep, field, budget)
    rows = []
    for place, variant in enumerate(variants):
        code = _code(place, field, chosen, limits=broken[place], pareto=place in front)
        lost = (drop_words if pictures.labelled else changed_words)(drops[place])
        words = _words(variant, lost, original, code, limits=broken[place])
        accuracy = pictures.accuracy(variant.answers)
        rows.append(Judged(variant, accuracy, drops[place], broken[place], code, words, place in front))
    nearest = {} if keep else _nearest(variants, drops, broken, budget)
    return Outcome(
        rows=tuple(rows),
        recommended=None if chosen is None else variants[chosen].name,
        feasible=chosen is not None,
        words=_sentence(rows, chosen, nearest, labelled=pictures.labelled),
        nearest=nearest,
    )


def _broken(variant: Variant, original: Variant, drop: Measured, budget: Budget) -> tuple[str, ...]:
    """Return the limits that a variant does not keep, by what was estimated.

    Where the original is too slow, so is what is faster than it by nothing but noise.
    """
    found = []
    if budget.latency_seconds is not None:
        lucky = original.speed.p50 > budget.latency_seconds and not variant.speed.real
        if lucky or variant.speed.p50 > budget.latency_seconds:
            found.append("latency")
    if budget.p99_seconds is not None:
        lucky = original.speed.p99 > budget.p99_seconds and not _shorter_tail(variant, original)
        if lucky or variant.speed.p99 > budget.p99_seconds:
            found.append("p99")
    if budget.size_bytes is not None and variant.size_bytes > budget.size_bytes:
        found.append("size")
    if budget.memory_bytes is not None and (
        variant.peak_bytes is None or variant.peak_bytes > budget.memory_bytes
    ):
        found.append("memory")  # what nobody measured is not known to be kept
    if drop.value > budget.drop:
        found.append("drop")
    return tuple(found)


def _shorter_tail(variant: Variant, original: Variant) -> bool:
    """Return whether the intervals of both 99th percentiles lie apart, the variant's below."""
    high, low = variant.speed.p99_high, original.speed.p99_low
    return high is not None and low is not None and high < low


def _recommended(keep: Sequence[int], field: Field, budget: Budget) -> int | None:
    """Return the place of what to take: the best of those within the limits, the surest first.

    The best of several estimates is too good to be true, the more so the fewer the pictures. What was taught
    may answer quite otherwise than the original, so where others are a gain, it is taken only where it is
    shown to keep the limit on accuracy: the upper end of its interval does. The original is taken where
    nothing is a gain.
    """
    sure = [
        place
        for place in keep
        if "distill" not in field.variants[place].steps or field.drop(0, place).high <= budget.drop
    ]
    return _best(sure, field, budget) or _best(keep, field, budget)


def _best(keep: Sequence[int], field: Field, budget: Budget) -> int | None:
    """Return the place of the best one, the original in a tie; None where there is none."""
    if not keep:
        return None
    if budget.aim == "accuracy":  # all that are not shown to be less accurate than the best one are tied
        best = min(keep, key=lambda place: field.drop(0, place).value)
        keep = [place for place in keep if field.drop(best, place).low <= 0]
    if budget.aim == "size":
        smallest = min(keep, key=lambda place: field.variants[place].size_bytes)
        gain = 1 - field.variants[smallest].size_bytes / field.variants[0].size_bytes
        return smallest if gain > _GAIN or 0 not in keep else 0
    gaining = [place for place in keep if field.gains(place)]
    if not gaining and 0 in keep:
        return 0
    worth = gaining or list(keep)
    quickest = min(worth, key=lambda place: field.variants[place].speed.ratio)
    tied = [place for place in worth if not field.faster[quickest, place]]
    return min(tied, key=lambda place: (field.variants[place].size_bytes, field.drop(0, place).value))


def _code(place: int, field: Field, chosen: int | None, *, limits: tuple[str, ...], pareto: bool) -> str:
    if place == chosen:
        return "recommended"
    if limits:
        return "outside"
    if place == 0:
        return "original"
    if not field.gains(place):
        return "no_real_gain"
    return "feasible" if pareto else "dominated"


def _words(variant: Variant, lost: str, original: Variant, code: str, *, limits: tuple[str, ...]) -> str:
    """Return the verdict as people read it."""
    if variant is original:
        return "the original" + ("; nothing that was tried is a real gain" if code == "recommended" else "")
    told = [speed_words(variant), size_words(variant, original), lost]
    if limits:
        told.append("outside the limit on " + " and ".join(limits))
    elif code == "no_real_gain":
        told.append("no real gain")
    return ", ".join(told)


def speed_words(variant: Variant) -> str:
    """Return how much faster or slower it is than the original, for people."""
    ratio = variant.speed.ratio
    if not variant.speed.real:
        return "not really faster or slower"
    return f"{1 / ratio:.2g}× as fast" if ratio < 1 else f"{ratio:.2g}× slower here"


def size_words(variant: Variant, original: Variant) -> str:
    """Return how much smaller or larger its file is, for people."""
    factor = original.size_bytes / variant.size_bytes
    return f"{factor:.2g}× smaller" if factor >= 1 else f"{1 / factor:.2g}× larger"


def drop_words(drop: Measured) -> str:
    """Return how much worse it is, in points with the interval, for people."""
    low, high = 100 * drop.low, 100 * drop.high
    if drop.low <= 0 <= drop.high:
        return f"no difference shown ({100 * drop.value:+.1f} points lost, {low:+.1f} to {high:+.1f})"
    word = "worse" if drop.value > 0 else "better"
    ends = sorted((abs(low), abs(high)))
    return f"{word} by {abs(100 * drop.value):.1f} points ({ends[0]:.1f} to {ends[1]:.1f})"


def changed_words(changed: Measured) -> str:
    """Return how often it answers otherwise than the original, in percent with the interval, for people."""
    low, high = 100 * changed.low, 100 * changed.high
    if changed.value == 0:
        return f"no answer of {changed.n:,} changed (up to {high:.1f} %)"
    return f"{100 * changed.value:.1f} % of the answers changed ({low:.1f} to {high:.1f})"


def _nearest(
    variants: Sequence[Variant],
    drops: Sequence[Measured],
    broken: Sequence[tuple[str, ...]],
    budget: Budget,
) -> dict[str, float]:
    """Return for each limit the best value among variants that keep all others, else among all.

    A time within the limit that is not shown to be faster than the original, which is too slow, reaches
    nothing: then the original's counts.
    """
    values = {
        "latency": [variant.speed.p50 for variant in variants],
        "p99": [variant.speed.p99 for variant in variants],
        "size": [float(variant.size_bytes) for variant in variants],
        "memory": [math.inf if v.peak_bytes is None else float(v.peak_bytes) for v in variants],
        "drop": [drop.value for drop in drops],
    }
    found = {}
    for limit in sorted({name for names in broken for name in names}):
        others = [p for p, names in enumerate(broken) if set(names) <= {limit}]
        reached = [values[limit][p] for p in (others or range(len(variants)))]
        most = {"latency": budget.latency_seconds, "p99": budget.p99_seconds}.get(limit) or 0.0
        best = min((value for value in reached if value > most), default=values[limit][0])
        if math.isfinite(best):
            found[limit] = best
    return found


def _sentence(
    rows: Sequence[Judged], chosen: int | None, nearest: dict[str, float], *, labelled: bool
) -> str:
    if chosen is None:
        show = _SHOW if labelled else {**_SHOW, "drop": _show_changed}
        told = ", ".join(f"{limit} {show[limit](value)}" for limit, value in nearest.items())
        return (
            f"not feasible within these limits; best reachable: {told or 'not known, nothing was measured'}"
        )
    row = rows[chosen]
    if chosen == 0:
        return "the original is recommended: nothing that was tried is a real gain within the limits"
    return f"{row.variant.name}: {row.words}"


def _show_points(share: float) -> str:
    return f"{100 * share:.1f} points"


def _show_changed(share: float) -> str:
    return f"{100 * share:.1f} % of the answers"


_SHOW: dict[str, Callable[[float], str]] = {
    "latency": show_seconds,
    "p99": show_seconds,
    "size": show_bytes,
    "memory": show_bytes,
    "drop": _show_points,
}

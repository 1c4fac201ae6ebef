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

from foveal.bundle.timing import LEAST_FLOOR
from foveal.core.types import Measured
from foveal.optimize.budget import Budget
from foveal.optimize.judge import Judge
from foveal.optimize.variant import Variant
from foveal.optimize.verdicts import joined, reached_words, variant_words

_GAIN = 0.05  # a file that is smaller by less than this share is no reason to take another one


@dataclass(frozen=True)
class Judged:
    """What is said of one variant.

    Attributes:
        variant: The file.
        accuracy: Share of the pictures that it names correctly; without labels: as the original does.
        drop: By how much less often than the original, on the same pictures.
        broken: Limits that it does not keep: `latency`, `p99`, `size`, `memory`, `drop`.
        unproven: Limits that it keeps by the estimate alone: the interval reaches beyond, or has no end.
        code: `original`, `recommended`, `feasible`, `dominated`, `no_real_gain` or `outside`.
        words: The same for people; not what is `unproven`, which other pictures may prove.
        pareto: No other is better in one respect and as good in all others.
    """

    variant: Variant
    accuracy: Measured
    drop: Measured
    broken: tuple[str, ...]
    unproven: tuple[str, ...]
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
    pictures: Judge
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
        return self.pictures.changed(self.variants[after].answers, since=self.variants[before].answers)

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
    variants, pictures, labelled = field.variants, field.pictures, field.pictures.labelled
    original = variants[0]
    drops = [field.drop(0, place) for place in range(len(variants))]
    broken = [_broken(v, original, drop, budget) for v, drop in zip(variants, drops, strict=True)]
    keep = [place for place, limits in enumerate(broken) if not limits]
    front = {place for place in range(len(variants)) if not field.dominated(place)}
    chosen = _recommended(keep, field, budget)
    rows = []
    for place, variant in enumerate(variants):
        code = _code(place, field, chosen, limits=broken[place], pareto=place in front)
        unproven = _unproven(place, variant, drops[place], budget)
        unproven = tuple(limit for limit in unproven if limit not in broken[place])
        told = (
            variant_words(variant, original, drops[place], labelled=labelled) if place else ["the original"]
        )
        told += _verdict(place, code, broken=broken[place])
        rows.append(
            Judged(
                variant,
                accuracy=pictures.accuracy(variant.answers),
                drop=drops[place],
                broken=broken[place],
                unproven=unproven,
                code=code,
                words=", ".join(told),
                pareto=place in front,
            )
        )
    nearest = {} if keep else _nearest(variants, drops, broken, budget)
    return Outcome(
        rows=tuple(rows),
        recommended=None if chosen is None else variants[chosen].name,
        feasible=chosen is not None,
        words=_sentence(rows, chosen, nearest, labelled=labelled),
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


def _unproven(place: int, variant: Variant, drop: Measured, budget: Budget) -> tuple[str, ...]:
    """Return the limits that the upper end of an interval breaks, or which have no end.

    Of the original nothing is lost: that is no estimate. Bytes are counted, and memory is a peak.
    """
    ends = {
        "latency": (variant.speed.high, budget.latency_seconds),
        "p99": (variant.speed.p99_high, budget.p99_seconds),
        "drop": (drop.high if place else 0.0, budget.drop),
    }
    return tuple(
        limit for limit, (end, most) in ends.items() if most is not None and (end is None or end > most)
    )


def _shorter_tail(variant: Variant, original: Variant) -> bool:
    """Return whether the intervals of both 99th percentiles lie apart by 3 %, the variant's below.

    They take calls as independent, and sessions of one file differ for life: see `timing.LEAST_FLOOR`.
    """
    high, low = variant.speed.p99_high, original.speed.p99_low
    return high is not None and low is not None and high * math.exp(LEAST_FLOOR) < low


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


def _verdict(place: int, code: str, *, broken: tuple[str, ...]) -> list[str]:
    """Return what is said of a variant besides its numbers."""
    if broken:
        return [f"outside the limit on {joined(broken)}"]
    if place == 0 and code == "recommended":
        return ["nothing that was tried is a real gain"]
    return ["no real gain"] if code == "no_real_gain" else []


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
    found = {}
    for limit in sorted({name for names in broken for name in names}):
        others = [p for p, names in enumerate(broken) if set(names) <= {limit}]
        values = [_value(limit, one, drop) for one, drop in zip(variants, drops, strict=True)]
        reached = [values[p] for p in (others or range(len(variants)))]
        most = {"latency": budget.latency_seconds, "p99": budget.p99_seconds}.get(limit) or 0.0
        best = min((value for value in reached if value > most), default=values[0])
        if math.isfinite(best):
            found[limit] = best
    return found


def _sentence(
    rows: Sequence[Judged], chosen: int | None, nearest: dict[str, float], *, labelled: bool
) -> str:
    if chosen is None:
        told = ", ".join(
            reached_words(limit, row.variant, row.drop, labelled=labelled)
            for limit, value in nearest.items()
            for row in [next(row for row in rows if _value(limit, row.variant, row.drop) == value)]
        )
        return (
            f"not feasible within these limits; best reachable: {told or 'not known, nothing was measured'}"
        )
    row = rows[chosen]
    if chosen == 0:
        return "the original is recommended: nothing that was tried is a real gain within the limits"
    return f"{row.variant.name}: {row.words}"


def _value(limit: str, variant: Variant, drop: Measured) -> float:
    """Return what a limit is on."""
    values: dict[str, Callable[[], float]] = {
        "latency": lambda: variant.speed.p50,
        "p99": lambda: variant.speed.p99,
        "size": lambda: float(variant.size_bytes),
        "memory": lambda: math.inf if variant.peak_bytes is None else float(variant.peak_bytes),
        "drop": lambda: drop.value,
    }
    return values[limit]()

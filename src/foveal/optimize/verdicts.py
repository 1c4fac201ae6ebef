"""What is said of a variant, for people: what was measured, with its interval and its n. Pure functions."""

from collections.abc import Sequence

from foveal.core.types import Measured
from foveal.core.units import show_bytes, show_seconds
from foveal.optimize.variant import Variant


def variant_words(variant: Variant, original: Variant, drop: Measured, *, labelled: bool) -> list[str]:
    """Return how a variant compares with the original: in speed, in size, in what it answers.

    Args:
        variant: Not the original.
        original: What it was measured beside.
        drop: Accuracy that it lost; without labels the share of answers that it changed.
        labelled: Whether the pictures have labels.
    """
    answers = drop_words(drop) if labelled else changed_words(drop)
    return [speed_words(variant), size_words(variant, original), answers]


def speed_words(variant: Variant) -> str:
    """Return how much faster or slower it is than the original, with the interval of the factor."""
    speed = variant.speed
    if not speed.real:
        return "not shown to be faster or slower"
    slower = speed.ratio >= 1
    ends = "too few rounds for an interval"
    if speed.ratio_low is not None and speed.ratio_high is not None:
        pair = (speed.ratio_low, speed.ratio_high) if slower else (1 / speed.ratio_high, 1 / speed.ratio_low)
        ends = f"{_factor(pair[0])} to {_factor(pair[1])}"
    told = f"{_factor(speed.ratio)}× slower here" if slower else f"{_factor(1 / speed.ratio)}× as fast"
    return f"{told} ({ends})"


def size_words(variant: Variant, original: Variant) -> str:
    """Return how much smaller or larger its file is; bytes are counted, not estimated."""
    if variant.size_bytes == original.size_bytes:
        return "of the same size"
    factor = original.size_bytes / variant.size_bytes
    return f"{_factor(factor)}× smaller" if factor >= 1 else f"{_factor(1 / factor)}× larger"


def _factor(factor: float) -> str:
    """Return a factor to two decimals below 10, to one above, to none from 100 on.

    >>> _factor(1.04), _factor(17.81), _factor(123.4)
    ('1.04', '17.8', '123')
    """
    return f"{factor:.{2 if factor < 10 else 1 if factor < 100 else 0}f}"


def drop_words(drop: Measured) -> str:
    """Return how much worse it is, in points, with interval and n."""
    low, high = 100 * drop.low, 100 * drop.high
    if drop.low <= 0 <= drop.high:
        told = f"{100 * drop.value:+.1f} points lost, {low:+.1f} to {high:+.1f}"
        return f"no difference shown ({told}, n={drop.n:,})"
    word = "worse" if drop.value > 0 else "better"
    ends = sorted((abs(low), abs(high)))
    return f"{word} by {abs(100 * drop.value):.1f} points ({ends[0]:.1f} to {ends[1]:.1f}, n={drop.n:,})"


def changed_words(changed: Measured) -> str:
    """Return how often it answers otherwise than the original, in percent with interval and n."""
    low, high = 100 * changed.low, 100 * changed.high
    if changed.value == 0:
        return f"no answer of {changed.n:,} changed (up to {high:.1f} %)"
    return f"{100 * changed.value:.1f} % of the answers changed ({low:.1f} to {high:.1f}, n={changed.n:,})"


def allowed_words(drop: float, *, labelled: bool) -> str:
    """Return what may be lost, in the unit of what was.

    >>> allowed_words(0.005, labelled=True), allowed_words(0.01, labelled=False)
    ('0.5 points', '1 %')
    """
    return f"{100 * drop:.4g} points" if labelled else f"{100 * drop:.4g} %"


def joined(names: Sequence[str]) -> str:
    """Return names in a row.

    >>> joined(("latency", "p99", "drop"))
    'latency, p99 and drop'
    """
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def unproven_words(limits: Sequence[str]) -> str:
    """Return that limits are kept by what was estimated, and not by the end of the interval.

    >>> unproven_words(("drop",))
    'the limit on drop is kept by the estimate, not by the end of its interval'
    """
    one = len(limits) == 1
    noun, verb, whose = ("limit", "is", "its interval") if one else ("limits", "are", "their intervals")
    return f"the {noun} on {joined(limits)} {verb} kept by the estimate, not by the end of {whose}"


def reached_words(limit: str, variant: Variant, drop: Measured, *, labelled: bool) -> str:
    """Return what a variant reaches of a limit that binds, with the interval where there is one.

    Args:
        limit: `latency`, `p99`, `size`, `memory` or `drop`.
        variant: That comes nearest.
        drop: Of its answers.
        labelled: Whether the pictures have labels.
    """
    speed = variant.speed
    if limit == "latency":
        return f"latency {_seconds(speed.p50, speed.low, speed.high)}"
    if limit == "p99":
        return f"p99 {_seconds(speed.p99, speed.p99_low, speed.p99_high)}"
    if limit == "drop":
        unit = "points" if labelled else "% of the answers"
        ends = f"{100 * drop.low:.1f} to {100 * drop.high:.1f}, n={drop.n:,}"
        return f"drop {100 * drop.value:.1f} {unit} ({ends})"
    return f"{limit} {show_bytes(variant.size_bytes if limit == 'size' else variant.peak_bytes or 0)}"


def _seconds(value: float, low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return f"{show_seconds(value)} (too few rounds for an interval)"
    return f"{show_seconds(value)} ({show_seconds(low)} to {show_seconds(high)})"

"""What each step of a search gained and cost, beside what it began from: pure functions."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from foveal.core.types import Measured
from foveal.optimize.decision import Field
from foveal.optimize.variant import Ratio, Variant


@dataclass(frozen=True)
class Effect:
    """What lies between two variants.

    Attributes:
        name: Of the variant that came out.
        before: Of that which it was made from.
        step: What was done.
        drop: Accuracy lost by it, on the same pictures.
        time: Its time over that before, each in its best way, in the same rounds.
        size_ratio: Its file as a share of that before.
        memory_bytes: That a process needs more, below 0 less; None where one of both was not measured.
    """

    name: str
    before: str
    step: str
    drop: Measured
    time: Ratio
    size_ratio: float
    memory_bytes: int | None

    def as_json(self) -> dict[str, Any]:
        """Return the JSON object."""
        told = asdict(self)
        return {**told, "time_ratio": told.pop("time")}


def made_from(steps: Sequence[tuple[str, ...]]) -> list[int]:
    """Return for each variant but the first the place of that which it was made from.

    That is the latest one that has all of its steps, as a longer lesson goes on from a shorter one, or the
    most of them, in the same order from the first on.

    Args:
        steps: Of each variant in the order in which they were made, the original first.

    >>> short = long = ("half", "distill")
    >>> made_from([(), (), ("quantize",), short, (*short, "quantize"), long, (*long, "quantize")])
    [0, 1, 1, 3, 3, 5]
    """
    return [_before(steps[own], steps[:own]) for own in range(1, len(steps))]


def _before(own: tuple[str, ...], earlier: Sequence[tuple[str, ...]]) -> int:
    """Return the place of what a variant was made from, among those that were there before it."""
    most = max((len(some) for some in earlier if some != own and own[: len(some)] == some), default=0)
    return max(place for place, some in enumerate(earlier) if some in (own, own[:most]))


def effects(field: Field, times: Sequence[Ratio]) -> list[Effect]:
    """Return what each step gained and cost.

    Args:
        field: All variants, the original first.
        times: Of each but the first, the time over that of the variant which it was made from.
    """
    variants = field.variants
    before = made_from([variant.steps for variant in variants])
    return [
        _effect(variants[own], variants[place], field.cost(place, own), time)
        for own, place, time in zip(range(1, len(variants)), before, times, strict=True)
    ]


def _effect(variant: Variant, before: Variant, drop: Measured, time: Ratio) -> Effect:
    peaks = variant.peak_bytes, before.peak_bytes
    return Effect(
        name=variant.name,
        before=before.name,
        step=_step(variant, before),
        drop=drop,
        time=time,
        size_ratio=variant.size_bytes / before.size_bytes,
        memory_bytes=None if peaks[0] is None or peaks[1] is None else peaks[0] - peaks[1],
    )


def _step(variant: Variant, before: Variant) -> str:
    """Return what was done, in words."""
    if variant.bundle == before.bundle:
        return f"{variant.speed.engine} {variant.speed.precision}"
    added = variant.steps[len(before.steps) :]
    return ", ".join(added) or f"{variant.steps[-1]}, longer"

"""The least time that this machine could need for an answer, and which share of it a measurement reaches.

Source: Williams, Waterman & Patterson, "Roofline: An Insightful Visual Performance Model", 2009; for networks
on CPUs Czaja et al., 2020, arXiv:2009.11224. Peaks are measured, not looked up: inside virtual machines
nobody knows the frequency. They are measured in a process of its own, see `bundle.roofline_trial`.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any

from foveal.bundle.bandwidth import Level, Moved
from foveal.bundle.manifest import Manifest
from foveal.core import child
from foveal.tasks.detect.decode import ObjectDecision
from foveal.tasks.segment.decode import RegionDecision

_TRIAL = "foveal.bundle.roofline_trial"
WEIGHT_BYTES = {"fp32": 4.0, "bf16": 2.0, "fp16": 2.0, "int8": 1.0, "int4": 0.5}
OUTPUT_BYTES = 8  # logit and probability of a class
_OBJECT_BYTES = 28  # four sides, score and label


@dataclass(frozen=True)
class Peak:
    """The most multiply-adds a second that an engine reached in a product of matrices.

    Attributes:
        precision: `fp32`, `bf16` or `int8`.
        threads: Of the engine.
        engine: Which one was fastest.
        macs_per_second: In its best call.
        spread: By which share its median call took longer.
        n: Its calls.
    """

    precision: str
    threads: int
    engine: str
    macs_per_second: float
    spread: float
    n: int


@dataclass(frozen=True)
class Work:
    """What has to be done at least.

    Attributes:
        macs: Multiply-adds.
        moved_bytes: Weights, input and output, each once. Maps between layers do not count: an ideal
            engine would keep them in registers.
    """

    macs: int
    moved_bytes: int


@dataclass(frozen=True)
class Bound:
    """The least time for some work.

    Attributes:
        seconds: The larger of the two parts.
        compute_seconds: Multiply-adds over their peak.
        memory_seconds: Bytes over the speed of the nearest level that holds them all.
        level: That level.
    """

    seconds: float
    compute_seconds: float
    memory_seconds: float
    level: str

    @property
    def limit(self) -> str:
        """`compute` or `memory`: what the time goes into."""
        return "compute" if self.compute_seconds >= self.memory_seconds else "memory"


@dataclass(frozen=True)
class Roofline:
    """What this machine can do at most.

    Attributes:
        peaks: The fastest engine's for each precision and number of threads.
        levels: The speed of each cache and of memory, for each number of threads.
        moved: The copies that this follows from.
        skipped: What could not be measured, and why.
        error: Why nothing was measured, or None.
    """

    peaks: tuple[Peak, ...]
    levels: tuple[Level, ...]
    moved: tuple[Moved, ...] = field(default=(), repr=False)
    skipped: tuple[tuple[str, str], ...] = ()
    error: str | None = None

    def peak(self, precision: str, threads: int) -> float | None:
        """Return multiply-adds a second; between the measured numbers of threads, not more than can be.

        None where the precision was not measured. Of several, as `int8+bf16`, the fastest counts.
        """
        each = [
            _between({p.threads: p.macs_per_second for p in self.peaks if p.precision == part}, threads)
            for part in precision.split("+")
        ]
        return max((rate for rate in each if rate is not None), default=None)

    def level(self, moved_bytes: int, threads: int) -> Level | None:
        """Return the nearest level that holds so many bytes, its speed being that of so many threads."""
        counts = sorted({level.threads for level in self.levels})
        nearest = next((count for count in counts if count >= threads), max(counts, default=0))
        for level in (level for level in self.levels if level.threads == nearest):
            if level.capacity_bytes is None or moved_bytes <= level.capacity_bytes:
                return level
        return None

    def bound(self, work: Work, *, precision: str, threads: int) -> Bound | None:
        """Return the least time for some work; None where the peak is not known."""
        peak, level = self.peak(precision, threads), self.level(work.moved_bytes, threads)
        if peak is None or level is None:
            return None
        compute, moving = work.macs / peak, work.moved_bytes / level.bytes_per_second
        return Bound(max(compute, moving), compute, moving, level.name)

    def as_json(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {
            "peaks": [asdict(peak) for peak in self.peaks],
            "bandwidth": [asdict(level) for level in self.levels],
            "sweep": [asdict(moved) for moved in self.moved],
            "skipped": [{"engine": name, "why": why} for name, why in self.skipped],
            "error": self.error,
        }


@cache
def roofline() -> Roofline:
    """Return what this machine can do at most, measured once a process in about four seconds.

    Other work on the machine lowers what is found: then shares of it come out too high.
    """
    told = child.ask(_TRIAL)
    return Roofline((), (), error=told.error) if told.answer is None else read(told.answer)


def read(found: Mapping[str, Any]) -> Roofline:
    """Return what was written down as `dataclasses.asdict` gives it.

    Args:
        found: The JSON object, with the fields of `Roofline`.
    """
    return Roofline(
        tuple(Peak(**peak) for peak in found["peaks"]),
        tuple(Level(**level) for level in found["levels"]),
        tuple(Moved(**moved) for moved in found["moved"]),
        tuple((name, why) for name, why in found["skipped"]),
        found.get("error"),
    )


def work_of(manifest: Manifest, *, precision: str, batch: int) -> Work | None:
    """Return what a bundle has to do for one call; None where nobody counted its multiply-adds.

    Args:
        manifest: The bundle's.
        precision: In which it runs: its weights have that size; of several, as `int8+bf16`, the smallest.
        batch: Pictures of the call.
    """
    sizes = [WEIGHT_BYTES[part] for part in precision.split("+") if part in WEIGHT_BYTES]
    if manifest.model.macs is None or not sizes:
        return None
    preprocess = manifest.preprocess
    weights = round(manifest.model.parameters * min(sizes))
    each = math.prod(preprocess.sides) * preprocess.channels + _answer_bytes(manifest)
    return Work(manifest.model.macs * batch, weights + batch * each)


def _answer_bytes(manifest: Manifest) -> int:
    """Return the length of what is answered for a picture: probabilities and logits, objects or a map."""
    if isinstance(manifest.rule, ObjectDecision):
        return manifest.rule.objects * _OBJECT_BYTES
    if isinstance(manifest.rule, RegionDecision):
        return math.prod(manifest.preprocess.sides)
    return len(manifest.classes) * OUTPUT_BYTES


def with_shares(rows: Iterable[dict[str, Any]], manifest: Manifest, found: Roofline) -> dict[str, Any]:
    """Add `roofline_share` to rows of a `foveal.bench/1` document; return its `roofline`.

    The share is the least time over the median measured one; null where no bound is known. Above 1 the engine
    needs fewer multiply-adds than were counted, as Winograd's algorithm does, or the peaks were disturbed.

    Args:
        rows: With `precision`, `threads`, `batch` and `p50_ms`.
        manifest: Of the bundle that was run.
        found: What the machine can do.
    """
    bounds: dict[tuple[str, int, int], dict[str, Any]] = {}
    for row in rows:
        key = row["precision"], row["threads"], row["batch"]
        work = work_of(manifest, precision=key[0], batch=key[2])
        bound = None if work is None else found.bound(work, precision=key[0], threads=key[1])
        row["roofline_share"] = None if bound is None else bound.seconds * 1e3 / row["p50_ms"]
        if work is not None and bound is not None:
            bounds[key] = _bound_row(key, work, bound)
    return {**found.as_json(), "bounds": list(bounds.values())}


def _bound_row(key: tuple[str, int, int], work: Work, bound: Bound) -> dict[str, Any]:
    return {
        **dict(zip(("precision", "threads", "batch"), key, strict=True)),
        **asdict(work),
        "bound_ms": bound.seconds * 1e3,
        "compute_ms": bound.compute_seconds * 1e3,
        "memory_ms": bound.memory_seconds * 1e3,
        "level": bound.level,
        "limit": bound.limit,
    }


def _between(found: dict[int, float], threads: int) -> float | None:
    """Return what so many threads reach at most, from what one and all of them reached."""
    if not found:
        return None
    fewer = max((rate for count, rate in found.items() if count <= threads), default=0.0)
    if threads in found:
        return fewer  # more threads never reach less: if so it was measured, something disturbed it
    each = max(rate / count for count, rate in found.items())
    return max(fewer, min(max(found.values()), threads * each))

"""How long recognizers that are compared take for one picture, in turns."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from foveal.bundle import timing
from foveal.bundle.predictor import Predictor
from foveal.bundle.timing import Times
from foveal.bundle.turns import Lane, take_turns
from foveal.bundle.ways import REFERENCE
from foveal.core.progress import Progress
from foveal.data.dataset import UInt8

_SECONDS = 1.0  # for timing all of them, and at most as much for warming up


def timed(
    bundles: Sequence[Path], images: Sequence[UInt8], *, seed: int, threads: int, progress: Progress
) -> tuple[Times, ...]:
    """Time one picture at a time, which has all processors, without reading and decoding it.

    Args:
        bundles: The files.
        images: What each is given, at its model size.
        seed: Of the order in which they take turns.
        threads: Of one run.
        progress: Told a few times a second.
    """
    lanes = []
    for bundle, image in zip(bundles, images, strict=True):
        first, twin = (Predictor.open(bundle, engine=REFERENCE, threads=threads) for _ in range(2))
        lanes.append(Lane(first, twin, threads, (image[None],)))
    return take_turns(lanes, seconds=_SECONDS, seed=seed, progress=progress).times


def columns(times: Times) -> dict[str, Any]:
    """Return what a row of the document says of one."""
    return {
        "latency_ms": 1000 * times.p50().value,
        "latency_p99_ms": 1000 * times.p99().value,
        "latency_runs": times.calls,
    }


def which_is_slower(one: tuple[str, Times], other: tuple[str, Times]) -> dict[str, Any]:
    """Return which of two, by name, is slower, and by how much."""
    slower, faster = sorted((one, other), key=lambda named: named[1].p50().value, reverse=True)
    return {"slower": slower[0], "longer": timing.compare(slower[1], faster[1]).as_json()}

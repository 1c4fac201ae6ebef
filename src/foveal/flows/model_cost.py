"""`foveal models --cost`: what one answer of an architecture costs, and the least time for it here."""

from dataclasses import asdict
from typing import Any

from foveal.bundle.roofline import OUTPUT_BYTES, WEIGHT_BYTES, Peak, Roofline, Work, roofline
from foveal.models import Architecture, Builder
from foveal.models._cost import Cost, cost

SCHEMA = "foveal.models/1"


def model_cost(
    architecture: str | Builder | Architecture, *, size: int = 32, channels: int = 3, classes: int = 10
) -> dict[str, Any]:
    """Return the `foveal.models/1` document of one architecture: `cost`, and `roofline` of this machine.

    Args:
        architecture: Name of a file in `models/`, or a builder of your own.
        size: Side of the input in pixels.
        channels: Of the input.
        classes: Outputs.

    Raises:
        UnknownNameError: No such architecture.
        UsageError: What it costs follows from its data, or pictures of this size are too small.
    """
    found = cost(architecture, size=size, channels=channels, classes=classes)
    here = roofline()
    return {
        "schema": SCHEMA,
        "ok": True,
        "cost": found.as_json(),
        "roofline": {**here.as_json(), "bounds": bounds(found, here)},
    }


def bounds(found: Cost, here: Roofline) -> list[dict[str, Any]]:
    """Return the least time of one answer for each precision and number of threads that was measured.

    `bound_ms` lets weights, picture and answer pass once, and no map between layers: no engine is faster.
    `layers_ms` is the sum over all layers, each with its own maps read and written: what is faster must work
    on several layers at once, or need fewer multiply-adds. All values have the size of the precision.
    """
    return [_bound(found, here, peak) for peak in here.peaks]


def _bound(found: Cost, here: Roofline, peak: Peak) -> dict[str, Any]:
    scale = WEIGHT_BYTES[peak.precision] / WEIGHT_BYTES["fp32"]
    work = Work(found.macs, round(found.weight_bytes * scale) + _ends(found))
    whole = here.bound(work, precision=peak.precision, threads=peak.threads)
    layers = layered_seconds(found, here, peak, scale=scale)
    return {
        "precision": peak.precision,
        "threads": peak.threads,
        **asdict(work),
        "bound_ms": None if whole is None else whole.seconds * 1e3,
        "layers_ms": None if layers is None else layers * 1e3,
        "limit": None if whole is None else whole.limit,
    }


def layered_seconds(found: Cost, here: Roofline, peak: Peak, *, scale: float) -> float | None:
    """Return the least time layer by layer; None where no speed of memory is known.

    Weights come from the nearest level that holds all of them, since they are all used in every answer; the
    maps of a layer from the nearest that holds these.

    Args:
        found: What the network costs.
        here: What this machine can do.
        peak: In which precision, with how many threads.
        scale: Size of a value over that in which `found` was counted.
    """
    home = here.level(round(found.weight_bytes * scale), peak.threads)
    rate = here.peak(peak.precision, peak.threads)
    if home is None or rate is None:
        return None
    seconds = 0.0
    for step in found.steps:
        maps = (step.read_bytes + step.written_bytes) * scale
        level = here.level(round(maps), peak.threads) or home
        moving = step.weight_bytes * scale / home.bytes_per_second + maps / level.bytes_per_second
        seconds += max(step.macs / rate, moving)
    return seconds


def _ends(found: Cost) -> int:
    """Return the bytes of the picture, uint8, and of logits and probabilities."""
    return found.size**2 * found.channels + OUTPUT_BYTES * found.classes

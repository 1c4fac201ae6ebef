"""How much memory a bundle needs while it answers, measured in a process that does nothing else.

`python -m foveal.bundle.footprint BUNDLE ENGINE PRECISION THREADS BATCH` is that process. An engine that
crashes on a graph crashes there.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from foveal.bundle.predictor import Predictor
from foveal.bundle.ways import Way
from foveal.core import child
from foveal.core.errors import BundleError, FovealError

_RUNS = 3  # the second and third may still take memory that the first one did not need
_STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class Footprint:
    """The largest memory that was resident.

    Attributes:
        peak_bytes: Of the whole process: Python, engine, weights and buffers; None where the bundle did not
            run, or where nobody counts it.
        error: Why it did not run, with the code of that; None: it ran.
    """

    peak_bytes: int | None
    error: FovealError | None = None


def footprint(bundle: Path, way: Way, *, batch: int) -> Footprint:
    """Return the peak memory of a fresh process that opens a bundle and runs some batches.

    Args:
        bundle: The file.
        way: How to run it.
        batch: Pictures a call.
    """
    told = child.ask(__name__, str(bundle), way.engine, way.precision, str(way.threads), str(batch))
    if told.answer is None:
        return Footprint(None, BundleError(f"it does not live: {told.error}", code="engine_died"))
    error = told.answer["error"]
    if error is not None:
        return Footprint(None, BundleError(error["message"], code=error["code"], hint=error["hint"]))
    return Footprint(told.answer["peak_bytes"])


def _measure(bundle: str, way: Way, batch: int) -> Footprint:
    try:
        predictor = Predictor.open(bundle, engine=way.engine, precision=way.precision, threads=way.threads)
        images = np.zeros((batch, *predictor.session.input_shape), np.uint8)
        for _ in range(_RUNS):
            predictor.ask(images)
    except FovealError as error:
        return Footprint(None, error)
    except MemoryError:
        return Footprint(None, BundleError("there is too little memory", code="no_memory"))
    return Footprint(_peak_bytes())


def _peak_bytes() -> int | None:
    """Return this process's peak; on Linux not from `ru_maxrss`, which also counts what the parent held."""
    if _STATUS.is_file():
        for line in _STATUS.read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    if sys.platform == "win32":
        return None
    import resource  # not everywhere

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _main(bundle: str, engine: str, precision: str, threads: str, batch: str) -> None:
    found = _measure(bundle, Way(engine, precision, int(threads)), int(batch))
    error = None if found.error is None else found.error.as_json()
    sys.stdout.write(json.dumps({"peak_bytes": found.peak_bytes, "error": error}))


if __name__ == "__main__":
    _main(*sys.argv[1:])

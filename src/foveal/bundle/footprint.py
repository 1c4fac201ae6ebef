"""How much memory a bundle needs while it answers, measured in a process that does nothing else.

`python -m foveal.bundle.footprint BUNDLE ENGINE THREADS BATCH` is that process.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from foveal.bundle.predictor import Predictor
from foveal.core import child
from foveal.core.errors import FovealError

_RUNS = 3  # the second and third may still take memory that the first one did not need
_STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class Footprint:
    """The largest memory that was resident.

    Attributes:
        peak_bytes: Of the whole process: Python, engine, weights and buffers; None where it did not live.
        error: Why it did not, or None.
    """

    peak_bytes: int | None
    error: str | None = None


def footprint(bundle: Path, *, engine: str, threads: int, batch: int) -> Footprint:
    """Return the peak memory of a fresh process that opens a bundle and runs some batches.

    Args:
        bundle: The file.
        engine: A file of `bundle/engines`.
        threads: Of the engine.
        batch: Pictures a call.
    """
    told = child.ask(__name__, str(bundle), engine, str(threads), str(batch))
    if told.answer is None:
        return Footprint(None, f"it does not live: {told.error}")
    return Footprint(told.answer["peak_bytes"], told.answer["error"])


def _measure(bundle: str, engine: str, threads: int, batch: int) -> Footprint:
    try:
        predictor = Predictor.open(bundle, engine=engine, threads=threads)
        images = np.zeros((batch, *predictor.session.input_shape), np.uint8)
        for _ in range(_RUNS):
            predictor.run(images)
    except FovealError as error:
        return Footprint(None, error.message)
    except MemoryError:
        return Footprint(None, "there is too little memory")
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


def _main(bundle: str, engine: str, threads: str, batch: str) -> None:
    found = _measure(bundle, engine, int(threads), int(batch))
    sys.stdout.write(json.dumps({"peak_bytes": found.peak_bytes, "error": found.error}))


if __name__ == "__main__":
    _main(*sys.argv[1:])

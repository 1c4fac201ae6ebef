"""A recognizer that the search made, and all that was measured of its file."""

from dataclasses import asdict, dataclass, field
from typing import Any

from numpy.typing import NDArray

from foveal.bundle.ways import Way


@dataclass(frozen=True)
class Ratio:
    """The time of one file over that of another one, timed in the same rounds.

    Attributes:
        value: Below 1 it is faster.
        low, high: 95 % interval; None where rounds were too few.
        real: Whether it is more than the noise of the same file timed twice.
        n: Rounds.
    """

    value: float
    low: float | None
    high: float | None
    real: bool
    n: int

    def as_json(self) -> dict[str, Any]:
        """Return the JSON object."""
        return asdict(self)


@dataclass(frozen=True)
class Speed:
    """How fast a file answers one picture here.

    Attributes:
        engine, precision, threads: The fastest way to run it that decides alike.
        p50, p99: Seconds a picture.
        low, high: 95 % interval of the median.
        ratio: Its time over that of the original file, run in its own fastest way; below 1 it is faster.
        ratio_low, ratio_high: 95 % interval of the ratio.
        real: Whether the ratio is more than the noise of the same file timed twice.
        rounds: In which it was timed.
        p99_low, p99_high: 95 % interval of the 99th percentile, which takes calls as independent.
        cpu: Processor seconds of a picture, of all threads together; None: not measured. A proxy of energy.
        cpu_low, cpu_high: 95 % interval of its median over rounds.
    """

    engine: str
    precision: str
    threads: int
    p50: float
    p99: float
    low: float | None
    high: float | None
    ratio: float
    ratio_low: float | None
    ratio_high: float | None
    real: bool
    rounds: int
    p99_low: float | None = None
    p99_high: float | None = None
    cpu: float | None = None
    cpu_low: float | None = None
    cpu_high: float | None = None

    @property
    def way(self) -> Way:
        """How the file is run."""
        return Way(self.engine, self.precision, self.threads)


@dataclass(frozen=True)
class Variant:
    """One sealed file.

    Attributes:
        name: Short, and different from the others'.
        steps: What was done to the original, in order.
        bundle: Path of the file below the folder of the search; None: it is the original's.
        parameters, macs: Of the network; multiply-adds of one picture, or None.
        size_bytes: Of the file.
        answers: Of N pictures that choose, run as `speed` says, in the form that their judge compares: the
            class of each, int64 (N,), or a number and its resamples.
        speed: How it is run best, and how fast that is.
        ways: The best way of all, then the best with each other number of threads.
        peak_bytes: Largest resident memory while it answers so, or None where it was not measured.
        predicted: Seconds a picture that were foreseen before it was made, or None.
        seconds: That it took to make and measure.
    """

    name: str
    steps: tuple[str, ...]
    bundle: str | None
    parameters: int
    macs: int | None
    size_bytes: int
    answers: NDArray[Any] = field(repr=False)
    speed: Speed
    ways: tuple[Way, ...] = ()
    peak_bytes: int | None = None
    predicted: float | None = None
    seconds: float = 0.0

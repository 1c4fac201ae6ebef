"""What a user can afford, in the user's units."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from foveal.core.errors import UsageError

Aim = Literal["latency", "size", "accuracy"]
AIMS: tuple[Aim, ...] = get_args(Aim)
_ABOVE_ZERO = {
    "latency_seconds": "a limit on the median time",
    "p99_seconds": "a limit on the 99th percentile",
    "size_bytes": "a limit on the size",
    "memory_bytes": "a limit on memory",
    "seconds": "the time of a search",
}


@dataclass(frozen=True)
class Budget:
    """Limits on the recognizer, and on the search for it.

    Attributes:
        latency_seconds: Median time of one picture, batch 1, on this machine; None: no limit.
        p99_seconds: That 99 of 100 answers may take at most, of one picture each; None: no limit.
        size_bytes: Of the sealed bundle; None: no limit.
        memory_bytes: Largest resident memory of a process that only answers; None: no limit.
        drop: Accuracy that may be lost, as a share of the pictures; without labels the share of pictures that
            may be named otherwise.
        seconds: For the whole search.
        aim: What the recommended one among those within the limits has least of, or most of.
    """

    latency_seconds: float | None = None
    p99_seconds: float | None = None
    size_bytes: int | None = None
    memory_bytes: int | None = None
    drop: float = 0.01
    seconds: float = 600.0
    aim: Aim = "latency"

    def __post_init__(self) -> None:
        for name, what in _ABOVE_ZERO.items():
            value = getattr(self, name)
            if value is not None and not value > 0:
                hint = "leave out a limit that should not hold" if name != "seconds" else "such as 10m"
                raise UsageError(f"{what} is above 0; got {value:g}", hint=hint)
        if not 0 <= self.drop <= 1:
            raise UsageError(
                f"a drop is a share of the pictures from 0 to 1, or 0pt to 100pt; got {self.drop:g}",
                hint="1pt is one picture in a hundred",
            )
        if self.aim not in AIMS:
            raise UsageError(f"an aim is one of {', '.join(AIMS)}; got {self.aim!r}")

    def as_json(self) -> dict[str, Any]:
        """Return the JSON object `limits`."""
        told = asdict(self)
        times = {name: told.pop(f"{name}_seconds") for name in ("latency", "p99")}
        return {**{f"{k}_ms": None if v is None else v * 1e3 for k, v in times.items()}, **told}

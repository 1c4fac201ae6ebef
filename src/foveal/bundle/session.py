"""What every engine in `bundle/engines` returns."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

UInt8 = NDArray[np.uint8]
Float32 = NDArray[np.float32]
Answers = dict[str, NDArray[Any]]  # the outputs of a graph by name; each has N rows
UNKNOWN = "unknown"  # the output that a graph may have beside the other two
# Of a graph for clips: the features of the last T frames, and those that a call leaves behind.
WINDOW, NEXT_WINDOW = "window", "next_window"


class _Answers(NamedTuple):
    probabilities: Float32
    logits: Float32


class Outputs(_Answers):
    """What a graph answers for N pictures: a pair, with what only some graphs answer beside it.

    Attributes:
        probabilities: Calibrated, float32 (N, K).
        logits: Before the temperature, float32 (N, K).
        unknown: How unknown each picture is, float32 (N,), larger is more so; None: the graph does not say.
        window: Of a graph for clips: features of the last T frames, float32 (N, T, D), for the next call.
    """

    unknown: Float32 | None
    window: Float32 | None

    def __new__(
        cls,
        probabilities: Float32,
        logits: Float32,
        unknown: Float32 | None = None,
        window: Float32 | None = None,
    ) -> Self:
        """Put the answers of a graph together."""
        made = super().__new__(cls, probabilities, logits)
        made.unknown, made.window = unknown, window
        return made

    @property
    def by_name(self) -> Answers:
        """The outputs by name, without the window."""
        found: Answers = {"probabilities": self.probabilities, "logits": self.logits}
        return found if self.unknown is None else {**found, UNKNOWN: self.unknown}

    @classmethod
    def joined(cls, parts: "Sequence[Outputs]") -> Self:
        """Return the answers of one graph for several batches, at least one, as of one batch."""
        unknown = [part.unknown for part in parts if part.unknown is not None]
        window = [part.window for part in parts if part.window is not None]
        return cls(
            np.concatenate([part.probabilities for part in parts]),
            np.concatenate([part.logits for part in parts]),
            np.concatenate(unknown) if unknown else None,
            np.concatenate(window) if window else None,
        )


class Session(Protocol):
    """A loaded model. It may be run from any number of threads at once."""

    @property
    def engine(self) -> str:
        """Name and version of what runs the model."""
        ...

    @property
    def precision(self) -> str:
        """In which it computes what the graph leaves in float32: `fp32`, `bf16` or `fp16`."""
        ...

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Height, width and channels the model takes; before them, for clips, the number of frames."""
        ...

    @property
    def classes(self) -> int | None:
        """How many classes the graph declares, or None where it does not say."""
        ...

    def run(self, images: UInt8) -> tuple[Float32, Float32]:
        """Return calibrated probabilities and raw logits, each float32 (N, K).

        Where the graph has the output `unknown` they are `Outputs` that hold it. A session for clips takes
        a second argument, `window`, float32 (N, T, D) of its own outputs: then the images are the frames that
        came since, (N, F, height, width, channels), F ≥ 1. Without it a clip stands for itself.

        Args:
            images: uint8 (N, height, width, channels), N ≥ 1; of clips (N, T, height, width, channels).

        Raises:
            BundleError: The model failed, or answered with what is no probability (`model_output_invalid`).
            UsageError: `other_task`: it is no classifier.
        """
        ...

    def answer(self, images: UInt8) -> Answers:
        """Return all that the graph answers for pictures, by name; what it means, the task knows.

        Args:
            images: uint8 (N, height, width, channels), N ≥ 1.

        Raises:
            BundleError: The model failed.
        """
        ...


def joined(parts: Sequence[Answers]) -> Answers:
    """Return the answers of one graph for several batches, at least one, as of one batch."""
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def no_window(images: UInt8, shape: tuple[int, int]) -> Float32:
    """Return the window of clips before any of their frames was seen, float32 (N, T, D)."""
    return np.zeros((len(images), *shape), np.float32)

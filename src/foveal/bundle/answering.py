"""Whatever answers for a batch of pictures: a bundle, a network, or what stands in for one in a test."""

from typing import Protocol

from foveal.bundle.session import Float32, UInt8


class HasProbabilities(Protocol):
    """What is answered for N pictures."""

    @property
    def probabilities(self) -> Float32:
        """Calibrated where the recognizer is; float32 (N, K)."""
        ...


class Runs(Protocol):
    """Anything that answers for a batch, from any number of threads: a `Predictor` is one."""

    def run(self, images: UInt8, /) -> HasProbabilities:
        """Return the answers for uint8 (N, size, size, channels), N ≥ 1."""
        ...


class Asks(Protocol):
    """Anything that answers for a batch, whatever it says: a `Predictor` is one."""

    def ask(self, images: UInt8, /) -> object:
        """Return all that is answered for uint8 (N, height, width, channels), N ≥ 1."""
        ...

"""What every engine in `bundle/engines` returns."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

UInt8 = NDArray[np.uint8]
Float32 = NDArray[np.float32]


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
    def input_shape(self) -> tuple[int, int, int]:
        """Height, width and channels the model takes."""
        ...

    @property
    def classes(self) -> int | None:
        """How many classes the graph declares, or None where it does not say."""
        ...

    def run(self, images: UInt8) -> tuple[Float32, Float32]:
        """Return calibrated probabilities and raw logits, each float32 (N, K).

        Args:
            images: uint8 (N, height, width, channels), N ≥ 1.

        Raises:
            BundleError: The model failed, or answered with what is no probability (`model_output_invalid`).
        """
        ...

"""Fitting baselines, one method per file: `train/classical/<name>.py` defines `<name>(sample, plan, ...)`.

It chooses its settings by cross-validation inside the sample and returns a `Fit`: the tensors of the network
that the plan names, and a row per setting that was tried. `work(effort)` in the same file says how many
floating-point operations that takes; `shape(effort)` says with which arguments the
network is built.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor


@dataclass(frozen=True)
class Sample:
    """What is fitted to.

    Attributes:
        features: float32 (N, D).
        labels: int64 (N,), in [0, K).
        units: A number for each image, equal for those that belong together, int64 (N,).
        classes: K.
    """

    features: "Tensor" = field(repr=False)
    labels: "Tensor" = field(repr=False)
    units: "NDArray[np.int64]" = field(repr=False)
    classes: int


@dataclass(frozen=True)
class Fit:
    """What a method found.

    Attributes:
        tensors: For the network, by name.
        rows: One per setting that was tried: the setting, `cv_accuracy` (missing where the sample is too
            small to be divided), `cv_images`, and `chosen`, which is 1 for the setting that was taken.
    """

    tensors: "dict[str, Tensor]" = field(repr=False)
    rows: "list[dict[str, float]]"


@dataclass(frozen=True)
class Effort:
    """What the number of operations depends on.

    Attributes:
        dimensions: D of the features.
        classes: K.
        images: N that are fitted to.
        tuning_images: Of them, those that settings are chosen on.
        landmarks: Images that others are compared with, at most.
    """

    dimensions: int
    classes: int
    images: int
    tuning_images: int
    landmarks: int

"""What is to be learned: the one thing that differs between training methods."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from foveal.train.examples import Examples
from foveal.train.plan import Plan


@dataclass(frozen=True)
class Batch:
    """What one step sees.

    Attributes:
        images: uint8 (N, H, W, C), of clips (N, T, H, W, C), as `Preprocess` left them.
        labels: int64 (N,).
        rows: Which training example each image is, int64 (N,); the same number in every pass.
        passes: In which pass over the data each image is seen, int64 (N,), from 0.
        share: How much of the run is over, in [0, 1); all schedules are functions of it.
        generator: The only source of randomness of this step.
        part: Which of the images this process answers for, where several train together.
        unlabelled: More pictures, without labels, uint8 (U, H, W, C); None: the plan wants none.
    """

    images: Tensor
    labels: Tensor
    rows: Tensor
    passes: Tensor
    share: float
    generator: torch.Generator
    part: slice = field(default_factory=lambda: slice(None))
    unlabelled: Tensor | None = None

    @property
    def channels(self) -> int:
        """Of a picture, or of one frame of a clip."""
        return self.images.shape[-1]


@dataclass(frozen=True)
class Losses:
    """What one step gives back.

    Attributes:
        loss: Scalar with a gradient: the mean over the images of the batch's part.
        correct: How many of `counted` images were right, a detached scalar; for the learning curve.
        counted: Images that `correct` is about; 0 where right and wrong have no meaning.
    """

    loss: Tensor
    correct: Tensor
    counted: int


class Objective(nn.Module, ABC):
    """A training method: views of a batch, its loss, and the part that ships.

    The loop owns optimizer, schedule, precision, averaging and checkpoints. Everything a method has
    to remember between steps is a parameter or a buffer, so that a checkpoint holds it.
    """

    def draw(self, examples: Examples, plan: Plan, step: int) -> Batch | None:
        """Return what one step sees, a pure function of the arguments.

        None, the default: the next pictures of a pass over all of them, as `loop.fetch` returns them.
        """
        return None

    @abstractmethod
    def forward(self, batch: Batch) -> Losses:
        """Return the losses of one step; called under the plan's precision.

        Views are made of the whole batch, so that all ranks draw the same numbers; only the network's work is
        that of `batch.part`.
        """

    def after_step(self, share: float) -> None:
        """Update what follows the weights (a teacher, a queue); the default has nothing to do."""

    @abstractmethod
    def parameter_groups(self, plan: Plan) -> list[dict[str, Any]]:
        """Return the parameters for the optimizer, as the plan wants them moved.

        `rate` of each group multiplies the schedule's learning rate.
        """

    @abstractmethod
    def deployable(self) -> nn.Module:
        """Return the network that ships."""

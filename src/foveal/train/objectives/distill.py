"""Learn what a teacher answers, about the same augmented pictures or beforehand about each as it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from foveal.core import catalog
from foveal.core.errors import UsageError
from foveal.tasks.classify import learn
from foveal.train import matching
from foveal.train.fake_quantization import FakeQuantization
from foveal.train.objective import Batch, Losses
from foveal.train.objectives.supervised import Supervised


@dataclass(frozen=True)
class Teaching:
    """How a student is taught.

    Attributes:
        matching: Name of a file in `train/matching`.
        temperature: T above 0 that softens both answers. Ours are taught with smoothed labels, so their
            answers are soft already, and more of it loses what they say (Müller et al., "When Does Label
            Smoothing Help?", 2019, §4).
        labels_share: Share of the loss that asks for the labels instead, in [0, 1]; 0 needs none.
        bits: Of the weights of an int8 graph that the student computes as, so that what it learns survives
            the rounding; None: it computes in float.
        kept: For parameters of the student by name: which of their numbers may differ from 0, bool, of the
            parameter's shape. The others stay 0.
    """

    matching: str = "logits"
    temperature: float = 1.0
    labels_share: float = 0.1
    bits: Literal[8, 4] | None = None
    kept: Mapping[str, Tensor] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.temperature <= 0 or not 0 <= self.labels_share <= 1:
            raise UsageError(
                "a temperature is above 0 and a share from 0 to 1; "
                f"got {self.temperature:g} and {self.labels_share:g}"
            )


class Distill(Supervised):
    """A student that follows a teacher.

    A teacher that is a network sees the very same pixels as the student, in every step. One that answered
    beforehand saw each picture as it is: that costs nothing in a step, and fits where augmentation hardly
    changes what a picture shows, as mirroring and small shifts.

    Source: Hinton et al. 2015; that both should see the same crop: Beyer et al., "Knowledge distillation: A
    good teacher is patient and consistent", 2022, §3, where a "fixed teacher" teaches less.
    """

    def __init__(self, student: Supervised, teacher: nn.Module | Tensor, teaching: Teaching) -> None:
        """Hold what is trained.

        Args:
            student: Its network, and the pictures it is shown.
            teacher: Normalized images (N, C, H, W) to logits (N, K); it is not changed, and no checkpoint
                holds it. Or what it answered beforehand for the example of each row, float (rows, K): then
                it is not asked about what augmentation does to a picture.
            teaching: How.
        """
        super().__init__(
            student.network,
            classes=student.classes,
            preprocess=student.preprocess,
            augmentation={},
            label_smoothing=student.label_smoothing,
        )
        self.changes = student.changes
        self.teaching = teaching
        self._measure = catalog.find(matching, teaching.matching)
        if isinstance(teacher, nn.Module):
            teacher = teacher.to(memory_format=torch.channels_last).eval().requires_grad_(False)
        # In a tuple: a submodule would be saved with every checkpoint, and moved by the optimizer.
        self._teacher = (teacher,)
        self.rounding = None if teaching.bits is None else FakeQuantization(student.network, teaching.bits)

    def forward(self, batch: Batch) -> Losses:
        """Return the loss, and how many pictures were right."""
        images, targets = (view[batch.part] for view in self.views(batch))
        wanted = self._wanted(images, batch)
        logits = self.network(images) if self.rounding is None else self.rounding(images)
        share = self.teaching.labels_share
        loss = (1 - share) * self._measure(logits, wanted, temperature=self.teaching.temperature)
        if share > 0:
            loss = loss + share * learn.loss(logits, targets)
        return Losses(loss, (logits.argmax(1) == targets.argmax(1)).sum(), len(logits))

    @torch.no_grad()
    def _wanted(self, images: Tensor, batch: Batch) -> Tensor:
        """Return the teacher's logits for the views of the batch's part, (N, K)."""
        teacher = self._teacher[0]
        logits: Tensor = teacher[batch.rows[batch.part]] if isinstance(teacher, Tensor) else teacher(images)
        return logits

    @torch.no_grad()
    def after_step(self, share: float) -> None:
        """Put back to 0 what has to stay 0."""
        parameters = dict(self.network.named_parameters())
        for name, kept in self.teaching.kept.items():
            parameters[name].mul_(kept)

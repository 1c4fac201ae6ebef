"""Teach a small network what a large one answers."""

import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foveal import models
from foveal.core import machine
from foveal.core.batches import framed
from foveal.core.errors import UsageError
from foveal.core.progress import Progress, silent
from foveal.tasks.classify import learn
from foveal.tasks.recognizer import Recognizer
from foveal.train.examples import Examples
from foveal.train.loop import fit
from foveal.train.memory import freed_memory_kept
from foveal.train.objectives.distill import Distill, Teaching
from foveal.train.objectives.supervised import Supervised
from foveal.train.plan import Plan
from foveal.train.warm_up import warm_up

_TIMED_STEPS = 3
_SAFETY = 0.97  # share of the time that is planned with
_SMOOTHING = 0.1
_ASKED_AT_ONCE = 500  # pictures or frames
MIXING = {"mixup", "cutmix"}  # augmentations whose pictures are of several classes


@dataclass(frozen=True)
class Schedule:
    """How long and how a student is taught.

    Attributes:
        seconds: That it may take, above 0.
        batch_size: Images per step.
        rate_share: Highest learning rate, as a share of the one that the architecture begins with: a student
            that knows something already takes smaller steps.
        augmentation: Names of files in `train/augment` with their strength, in order.
        precision: Inside convolutions and products: fp32 or bf16.
        seed: Of order and augmentation.
        threads: Of torch; None: all processors that this process may use.
    """

    seconds: float
    batch_size: int
    rate_share: float
    augmentation: dict[str, float]
    precision: Literal["fp32", "bf16"] = "fp32"
    seed: int = 0
    threads: int | None = None


@dataclass(frozen=True)
class Lesson:
    """All that decides what a student learns.

    Attributes:
        plan: All choices of the training.
        teaching: How it is held to its teacher.
    """

    plan: Plan
    teaching: Teaching = field(default_factory=Teaching)


def distill(
    student: Recognizer,
    teacher: Recognizer | Tensor,
    examples: Examples,
    lesson: Lesson,
    *,
    checkpoints: Path | None = None,
    progress: Progress = silent,
) -> Recognizer:
    """Return the student after it was taught; both that were given are left alone.

    Args:
        student: Any network with the teacher's classes and preprocessing; it may take pictures of another
            size.
        teacher: Answers on the same augmented pictures, which are enlarged to its size where the student
            takes smaller ones; or what it answered beforehand, see `asked`.
        examples: What they are shown, at the student's size; labels are only needed where `labels_share` is
            above 0.
        lesson: All choices; see `plan_lesson`.
        checkpoints: Folder to save to and to go on from; None: a kill loses all.
        progress: Told about every step.

    Raises:
        DataError: The loss is no longer finite.
        KeyboardInterrupt: Ctrl-C; the state after the last whole step is saved first.
    """
    objective = _objective(student, teacher, lesson)
    fitted = fit(objective, examples, lesson.plan, checkpoints=checkpoints, progress=progress)
    return student.with_weights(fitted.weights)


def plan_lesson(
    student: Recognizer,
    teacher: Recognizer | Tensor,
    examples: Examples,
    schedule: Schedule,
    *,
    teaching: Teaching | None = None,
) -> Lesson:
    """Time a few steps and return what fits the schedule; from then on no clock decides.

    Args:
        student: As for `distill`.
        teacher: Its forward pass is part of every step, unless it has answered beforehand.
        examples: What they are shown, at the student's size.
        schedule: How long, and how.
        teaching: As it will be for `distill`.
    """
    settings = models.architecture(student.architecture).settings
    draft = Plan(
        model=student.architecture,
        arguments=student.arguments,
        images=len(examples),
        steps=1,
        batch_size=min(schedule.batch_size, len(examples)),
        learning_rate=settings.learning_rate * schedule.rate_share,
        weight_decay=settings.weight_decay,
        label_smoothing=_SMOOTHING,
        ema_share=0.03,
        augmentation=schedule.augmentation,
        precision=schedule.precision,
        optimizer=settings.optimizer,
        head_rate=settings.head_rate,
        warm_up_share=settings.warm_up_share,
        seed=schedule.seed,
        threads=schedule.threads or machine.usable_cpus(),
        step_seconds=0.0,
    )
    teaching = teaching or Teaching()

    def objective(plan: Plan) -> Distill:
        return _objective(student, teacher, Lesson(plan, teaching))

    speed = warm_up(objective, examples, draft, steps=_TIMED_STEPS)
    steps = max(1, int(_SAFETY * schedule.seconds / speed.step_seconds))
    plan = draft.model_copy(update={"steps": steps, "step_seconds": speed.step_seconds})
    return Lesson(plan, teaching)


def asked(
    teacher: Recognizer, examples: Examples, *, mirrored: bool, bf16: bool, progress: Progress = silent
) -> Tensor:
    """Return a teacher's logits for each example, float32 (N, K), to be used in every pass over them.

    A lesson then costs the student's work alone. The logits are those for the pictures as they are: they fit
    where augmentation hardly changes what a picture shows, and not where it mixes several.

    Args:
        teacher: The network to ask.
        examples: N of them.
        mirrored: Its mean answer for a picture and its mirror image, which is a little better than one.
        bf16: Compute in bf16.
        progress: Told after each batch.
    """
    network = copy.deepcopy(teacher.network).to(memory_format=torch.channels_last).eval()
    at_once = framed(_ASKED_AT_ONCE, teacher.preprocess.shape)
    rows = []
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=bf16), freed_memory_kept():
        for start in range(0, len(examples), at_once):
            stored = examples.indices[start : start + at_once]
            images = learn.normalize(torch.from_numpy(examples.images[stored]), teacher.preprocess)
            logits = network(images).float()
            if mirrored:
                logits = (logits + network(images.flip(-1)).float()) / 2
            rows.append(logits)
            progress("asking the teacher", min(start + at_once, len(examples)), len(examples))
    return torch.cat(rows)


def _objective(student: Recognizer, teacher: Recognizer | Tensor, lesson: Lesson) -> Distill:
    plan = lesson.plan
    mixing = MIXING.intersection(plan.augmentation)
    if isinstance(teacher, Tensor) and mixing:
        raise UsageError(
            f"{', '.join(sorted(mixing))} makes pictures that the teacher has not answered for",
            hint="give the teacher itself, or leave that augmentation out",
        )
    shown = Supervised(
        copy.deepcopy(student.network),
        classes=len(student.classes),
        preprocess=student.preprocess,
        augmentation=plan.augmentation,
        label_smoothing=plan.label_smoothing,
    )
    guide = teacher if isinstance(teacher, Tensor) else _seeing(teacher, student)
    return Distill(shown, guide, lesson.teaching)


def _seeing(teacher: Recognizer, student: Recognizer) -> nn.Module:
    """Return a copy of the teacher's network that takes what its student is shown."""
    network, size = copy.deepcopy(teacher.network), teacher.preprocess.size
    if size == student.preprocess.size:
        return network
    # Augmentation is drawn once, for the student; its view enlarged lacks detail, but shows the same crop.
    return nn.Sequential(_Enlarged(size), network)


class _Enlarged(nn.Module):
    """Pictures (N, C, H, W), or the frames of clips (N, T, C, H, W), at another size, bilinear."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, images: Tensor) -> Tensor:
        flat = images.flatten(0, -4)
        larger = F.interpolate(flat, size=(self.size, self.size), mode="bilinear", align_corners=False)
        return larger.reshape(*images.shape[:-2], self.size, self.size)

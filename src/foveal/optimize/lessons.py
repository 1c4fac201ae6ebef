"""The lessons of a search: what a candidate is taught, how long, and what is kept of it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal

from safetensors.torch import load as read_tensors
from safetensors.torch import save as tensor_bytes
from torch import Tensor

from foveal.core import files
from foveal.core.errors import BundleError, DataError
from foveal.optimize.candidate import Candidate
from foveal.optimize.steps.distill import Lesson, Schedule, asked, distill, plan_lesson
from foveal.optimize.workshop import TEACHER, Workshop
from foveal.tasks import recognizer as recognizers
from foveal.tasks.recognizer import Recognizer
from foveal.train.examples import Examples
from foveal.train.objectives.distill import Teaching
from foveal.train.plan import Plan, read_plan, write_plan

_PLAN, CHECKPOINTS = "plan.json", "checkpoints"
_GENTLE = {"flip", "shift"}  # augmentations that leave the teacher's answer nearly as it was
_ASKING_SHARE = 0.1  # of the budget: a teacher that takes longer for all examples is asked in every step
_TIMED = 64  # examples


@dataclass(frozen=True)
class Learning:
    """How networks that give pictures a class are taught in a search.

    Attributes:
        teacher: The original network.
        augmentation: Names of files in `train/augment` with their strength, in order.
        batch_size: Images per step.
        precision: Of training.
        seed: Of order and augmentation.
        teacher_logits: Of each example, asked for beforehand, float (N, K); None: the teacher is asked in
            every step, because augmentation changes what the pictures show.
    """

    teacher: Recognizer
    augmentation: dict[str, float]
    batch_size: int
    precision: Literal["fp32", "bf16"]
    seed: int
    teacher_logits: Tensor | None = field(default=None, repr=False)

    @property
    def guide(self) -> Recognizer | Tensor:
        """What students are held to."""
        return self.teacher if self.teacher_logits is None else self.teacher_logits


@dataclass(frozen=True)
class Stage:
    """One of the lessons that a candidate may get.

    Attributes:
        name: Ends the name of the variant.
        rate_share: Highest learning rate, as a share of the candidate's own.
        bits: Of the weights of an int8 graph that the student computes as; None: it computes in float.
        after: Names of the lessons that it goes on from; the last that was given counts.
    """

    name: str
    rate_share: float = 1.0
    bits: Literal[8, 4] | None = None
    after: tuple[str, ...] = ()


SHORT = Stage("short")
LONG = Stage("long", after=("short",))
ROUNDING = Stage("rounding", rate_share=0.1, bits=8, after=("short", "long"))
FOUR_BITS = Stage("four-bits", rate_share=0.1, bits=4, after=("short", "long"))


def teacher_logits(shop: Workshop, learning: Learning) -> Tensor | None:
    """Ask the teacher about every example, once a search.

    None where augmentation does not allow that, or where it would take more than a tenth of the budget.
    """
    path = shop.folder / TEACHER
    if not _GENTLE.issuperset(learning.augmentation):
        return None
    mirrored, bf16 = learning.augmentation.get("flip", 0) > 0, learning.precision == "bf16"

    def ask() -> Sequence[str]:
        examples = needed(shop, learning.teacher)
        few = replace(examples, indices=examples.indices[:_TIMED])
        for _ in range(2):  # the first time prepares what later ones reuse
            began = time.monotonic()
            asked(learning.teacher, few, mirrored=mirrored, bf16=bf16)
        foreseen = (time.monotonic() - began) * len(examples) / len(few)
        if foreseen > _ASKING_SHARE * shop.budget.seconds:
            files.remove(path)
            return []
        logits = asked(learning.teacher, examples, mirrored=mirrored, bf16=bf16, progress=shop.telling)
        files.write_bytes(path, tensor_bytes({"logits": logits}))
        return [path.name]

    shop.carry_out("teacher", {"augmentation": dict(learning.augmentation)}, ask)
    return read_tensors(path.read_bytes())["logits"] if path.is_file() else None


def any_begun(shop: Workshop) -> bool:
    """Return whether any lesson was begun before."""
    return any(shop.place_of("").glob(f"*/{_PLAN}"))


def begun(shop: Workshop, candidate: Candidate, stage: Stage) -> bool:
    """Return whether a lesson was begun before: then it is finished, whatever the clock says now."""
    return (shop.place_of(_called(candidate, stage)) / _PLAN).is_file()


def lesson(
    shop: Workshop, learning: Learning, candidate: Candidate, stage: Stage, *, seconds: float
) -> str | None:
    """Teach a candidate, seal it in float and measure it.

    Args:
        shop: Where.
        learning: How.
        candidate: What.
        stage: Which of its lessons.
        seconds: That the lesson may take; one that was begun before keeps its plan.

    Returns:
        The name of the variant; None where it cannot be taught or sealed, which is noted.
    """
    one = Assignment(shop, learning, candidate, stage)
    name = one.name
    of: dict[str, object] = {"candidate": candidate.name, "length": stage.name}
    shop.progress("variants", 0, 1, name)
    shop.carry_out(f"{name}: teach", of, partial(one.teach, seconds))
    if not one.taught.is_dir():
        return None
    shop.carry_out(name, of, one.seal)
    return name if shop.has(name) else None


def _called(candidate: Candidate, stage: Stage) -> str:
    return f"{candidate.name}-{stage.name}"


def not_as_network() -> BundleError:
    """Return the error of a file that did not pass the parity gate."""
    words, hint = "its file does not decide as the network", "the search goes on without it"
    return BundleError(words, code="parity", hint=hint)


def needed(shop: Workshop, network: Recognizer) -> Examples:
    """Return the examples at the size that a network takes: the same, in the same order, at every size."""
    examples = shop.roles_at(network.preprocess.size).learning
    if examples is None:
        raise ValueError("nothing is taught without pictures to learn from")
    return examples


@dataclass(frozen=True)
class Assignment:
    """One lesson of one candidate; the attributes are the arguments of `lesson`."""

    shop: Workshop
    learning: Learning
    candidate: Candidate
    stage: Stage

    @property
    def name(self) -> str:
        """Of the variant."""
        return _called(self.candidate, self.stage)

    @property
    def taught(self) -> Path:
        """Folder of the network after the lesson."""
        return self.shop.place_of(self.name) / "model"

    def teach(self, seconds: float) -> list[str]:
        """Carry the lesson out and save the network, or note why not; return the names of the files."""
        student, folder = self.student(), self.shop.place(self.name)
        planned = self.planned(student, seconds, threads=self.shop.threads)
        try:
            taught = distill(
                student,
                self.learning.guide,
                needed(self.shop, student),
                planned,
                checkpoints=folder / CHECKPOINTS,
                progress=self.shop.telling,
            )
        except DataError as error:  # its loss is no longer finite
            files.remove(self.taught)  # of an attempt that was killed before it was a step
            return self.shop.failed(self.name, error)
        recognizers.save(taught, self.taught)
        return [f"variants/{self.name}/model/{file}" for file in recognizers.FILES]

    def seal(self) -> list[str]:
        """Seal the network in float and measure the file, or note why not; return the names of the files."""
        started, shop, path = time.monotonic(), self.shop, self.shop.place(self.name) / "fp32.foveal"
        steps = (*self.candidate.steps, "distill")
        try:
            if shop.sealed(shop.model(self.name), steps, path, inherits=self.candidate.inherits):
                made = shop.measured(self.name, path, ways=shop.ways, started=started)
                return [f"variants/{self.name}/{path.name}", *made]
        except (DataError, BundleError) as error:
            return shop.failed(self.name, error)
        return shop.failed(self.name, not_as_network())

    def student(self) -> Recognizer:
        """Return the student as it begins: it goes on where the lesson before ended."""
        for before in reversed(self.stage.after):
            saved = self.shop.place_of(f"{self.candidate.name}-{before}") / "model"
            if saved.is_dir():
                return recognizers.load(saved)
        return self.candidate.make()

    def planned(self, student: Recognizer, seconds: float, *, threads: int) -> Lesson:
        """Return what the student learns; a lesson that was begun keeps its plan."""
        path, teaching = self.shop.place_of(self.name) / _PLAN, Teaching(bits=self.stage.bits)
        found = read_plan(path)
        if isinstance(found, Plan):
            return Lesson(found, teaching)
        schedule = Schedule(
            seconds,
            self.learning.batch_size,
            self.candidate.rate_share * self.stage.rate_share,
            self.learning.augmentation,
            precision=self.learning.precision,
            seed=self.learning.seed,
            threads=threads,
        )
        examples = needed(self.shop, student)
        planned = plan_lesson(student, self.learning.guide, examples, schedule, teaching=teaching)
        self.shop.note_time()  # first: after a kill no other lesson has time that had none before this one
        write_plan(planned.plan, path)
        return planned

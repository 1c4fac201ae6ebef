"""Search for the smallest and fastest recognizer within a budget: free levers first, then training.

Every candidate is measured on its exported file, beside the original. What was finished in the folder is not
done again, so a search that was killed goes on with the same line.

    original → engine → int8 → {students, pruned networks} → short lessons → the best one's long lesson → int8

Successive halving: Jamieson & Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter
Optimization", 2016. The order of the levers: docs/decisions/0021-optimize.md.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from safetensors.torch import load as read_tensors
from safetensors.torch import save as tensor_bytes
from torch import Tensor

from foveal.core import files
from foveal.export.lowering import Lowering
from foveal.optimize.candidate import Candidate, candidates
from foveal.optimize.steps.distill import MIXING, Lesson, Schedule, asked, distill, plan_lesson
from foveal.optimize.steps.quantize import quantize
from foveal.optimize.variant import Variant
from foveal.optimize.workshop import TEACHER, Workshop
from foveal.tasks import recognizer as recognizers
from foveal.tasks.recognizer import Recognizer
from foveal.train.examples import Examples
from foveal.train.objectives.distill import Teaching
from foveal.train.plan import Plan, read_plan, write_plan

_CALIBRATION = 256  # pictures that show int8 its ranges
_SHORT_SHARE = 0.08  # of the budget: the first lesson of each candidate
_MOST_CANDIDATES = 4
_CERTIFY_SHARE = 0.12  # of the budget: what has to be left for measuring at the end
_PLAN = "plan.json"
_LEAST_LESSON = 5.0  # seconds; a shorter one teaches nothing
_SHRINKS = 0.5  # what remains of a candidate's loss of accuracy after the long lesson, as far as is foreseen


@dataclass(frozen=True)
class Learning:
    """How networks are taught in a search.

    Attributes:
        teacher: The original network.
        augmentation: Names of files in `train/augment` with their strength, in order.
        batch_size: Images per step.
        precision: Of training.
        seed: Of order and augmentation.
        answers: What the teacher said of each example beforehand, float (N, K); None: it is asked in every
            step, because augmentation mixes pictures.
    """

    teacher: Recognizer
    augmentation: dict[str, float]
    batch_size: int
    precision: Literal["fp32", "bf16"]
    seed: int
    answers: Tensor | None = field(default=None, repr=False)

    @property
    def guide(self) -> Recognizer | Tensor:
        """What students are held to."""
        return self.teacher if self.answers is None else self.answers


def search(shop: Workshop, learning: Learning | None) -> list[Variant]:
    """Return all variants that were made and measured, the original first.

    Args:
        shop: Where to work, on which pictures, within which budget.
        learning: How networks are taught; None: nothing is trained.
    """
    names = _free_levers(shop)
    if learning is not None:
        names += _taught(shop, learning)
    return [shop.variant(name) for name in dict.fromkeys(names)]


def _free_levers(shop: Workshop) -> list[str]:
    """Measure the original as it is, and in int8 without training."""

    def original() -> Sequence[str]:
        return shop.measured("original", shop.original, predicted=None, started=time.monotonic())

    shop.carry_out("original", {}, original)
    names = ["original"]
    if shop.members.manifest.model.precision == "fp32":
        names += _int8(shop, "original-int8", shop.original)
    return names


def _int8(shop: Workshop, name: str, source: Path) -> list[str]:
    """Quantize a sealed file and measure it; return its name, or nothing where it cannot be done."""

    def work() -> Sequence[str]:
        started = time.monotonic()
        path = shop.place(name) / "int8.foveal"
        model = quantize(shop.read(source).model, shop.roles.shown(_CALIBRATION))
        shop.lowered(source, Lowering(model, "int8", ("quantize",)), path)
        return shop.measured(name, path, predicted=None, started=started)

    shop.progress("variants", 0, 1, name)
    shop.carry_out(name, {"source": shop.digest(source)}, work)
    return [name]


def _taught(shop: Workshop, learning: Learning) -> list[str]:
    """Give every candidate a short lesson, and the most promising one all the time that is left."""
    learning = replace(learning, answers=_answers(shop, learning))
    macs = shop.members.manifest.model.macs or 0
    shown = shop.roles.shown(_CALIBRATION)
    found = candidates(learning.teacher, shown, macs=macs, most=_MOST_CANDIDATES)
    names, lessons = [], shop.budget.seconds * _SHORT_SHARE
    reserve = shop.budget.seconds * _CERTIFY_SHARE
    tried: list[tuple[Candidate, Variant]] = []
    for candidate in found:
        if not _begun(shop, candidate, "short") and shop.left() < lessons + reserve:
            break
        made = _lesson(shop, learning, candidate, "short", seconds=lessons)
        names += made
        if made:
            tried.append((candidate, shop.variant(made[-1])))
    best = _promising(tried, shop)
    left = shop.left() - reserve
    if best is not None and (left > _LEAST_LESSON or _begun(shop, best, "long")):
        names += _lesson(shop, learning, best, "long", seconds=left)
    return names


def _answers(shop: Workshop, learning: Learning) -> Tensor | None:
    """Ask the teacher about every example, once a search."""
    path = shop.folder / TEACHER
    if not MIXING.isdisjoint(learning.augmentation):
        return None

    def ask() -> Sequence[str]:
        answers = asked(
            learning.teacher,
            _needed(shop),
            mirrored=learning.augmentation.get("flip", 0) > 0,
            bf16=learning.precision == "bf16",
            progress=shop.progress,
        )
        files.write_bytes(path, tensor_bytes({"logits": answers}))
        return [path.name]

    shop.carry_out("teacher", {"augmentation": dict(learning.augmentation)}, ask)
    return read_tensors(path.read_bytes())["logits"]


def _promising(tried: Sequence[tuple[Candidate, Variant]], shop: Workshop) -> Candidate | None:
    """Return the fastest candidate that is foreseen to keep the limits after a long lesson.

    Where none is, it is the one that has lost least.
    """
    if not tried:
        return None
    pictures, original = shop.roles.pictures, shop.variant("original")
    drops = [pictures.drop(original.answers, variant.answers).value for _, variant in tried]
    hopeful = [
        (variant.speed.ratio, place)
        for place, ((_, variant), drop) in enumerate(zip(tried, drops, strict=True))
        if drop * _SHRINKS <= shop.budget.drop
    ]
    place = min(hopeful)[1] if hopeful else min(range(len(drops)), key=drops.__getitem__)
    return tried[place][0]


def _lesson(
    shop: Workshop, learning: Learning, candidate: Candidate, length: str, *, seconds: float
) -> list[str]:
    """Teach a candidate, seal it in fp32 and in int8, and measure both."""
    name = f"{candidate.name}-{length}"
    folder = shop.place(name)

    def teach() -> Sequence[str]:
        student = _student(shop, candidate, length)
        plan = _plan(folder / _PLAN, student, learning, shop, candidate, seconds=seconds)
        taught = distill(
            student,
            learning.guide,
            _needed(shop),
            Lesson(plan, Teaching()),
            checkpoints=folder / "checkpoints",
            progress=shop.progress,
        )
        recognizers.save(taught, folder / "model")
        return [f"variants/{name}/model/weights.safetensors", f"variants/{name}/model/structure.json"]

    shop.progress("variants", 0, 1, name)
    shop.carry_out(f"{name}: teach", {"candidate": candidate.name, "length": length}, teach)

    path = folder / "fp32.foveal"

    def seal() -> Sequence[str]:
        started = time.monotonic()
        if not shop.sealed(shop.model(name), (*candidate.steps, "distill"), path):
            return []  # its file does not decide as the network does: it is no candidate any more
        return [
            f"variants/{name}/{path.name}",
            *shop.measured(name, path, predicted=None, started=started),
        ]

    shop.carry_out(name, {"candidate": candidate.name, "length": length}, seal)
    if not path.is_file():
        return []
    return [name, *_int8(shop, f"{name}-int8", path)]


def _needed(shop: Workshop) -> Examples:
    if shop.roles.learning is None:
        raise ValueError("nothing is taught without pictures to learn from")
    return shop.roles.learning


def _begun(shop: Workshop, candidate: Candidate, length: str) -> bool:
    """Return whether a lesson was begun before: then it is finished, whatever the clock says now."""
    return (shop.folder / "variants" / f"{candidate.name}-{length}" / _PLAN).is_file()


def _student(shop: Workshop, candidate: Candidate, length: str) -> Recognizer:
    """Return the student as it begins a lesson: the long one goes on where the short one ended."""
    short = shop.folder / "variants" / f"{candidate.name}-short" / "model"
    if length == "long" and short.is_dir():
        return recognizers.load(short)
    return candidate.make()


def _plan(
    path: Path,
    student: Recognizer,
    learning: Learning,
    shop: Workshop,
    candidate: Candidate,
    *,
    seconds: float,
) -> Plan:
    """Return the plan of a lesson; one that was begun keeps its own."""
    found = read_plan(path)
    if isinstance(found, Plan):
        return found
    schedule = Schedule(
        seconds,
        learning.batch_size,
        candidate.rate_share,
        learning.augmentation,
        precision=learning.precision,
        seed=learning.seed,
        threads=shop.threads,
    )
    lesson = plan_lesson(student, learning.guide, _needed(shop), schedule)
    write_plan(lesson.plan, path)
    return lesson.plan

"""Search for the smallest and fastest recognizer within a budget: free levers first, then training.

Every candidate is measured on its exported file, beside the original. What was finished in the folder is not
done again, so a search that was killed goes on with the same line.

    original → engine → int8 → {students, pruned networks} → short lessons → the best one's long lesson → int8

Successive halving: Jamieson & Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter
Optimization", 2016. The order of the levers: docs/decisions/0021-optimize.md.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import torch
from safetensors.torch import load as read_tensors
from safetensors.torch import save as tensor_bytes
from torch import Tensor

from foveal.bundle.session import UInt8
from foveal.bundle.ways import Way
from foveal.core import files
from foveal.core.errors import BundleError, DataError
from foveal.export.lowering import Lowering
from foveal.models._cost import cost_of
from foveal.optimize.budget import Budget
from foveal.optimize.candidate import Candidate, candidates
from foveal.optimize.steps.distill import Lesson, Schedule, asked, distill, plan_lesson
from foveal.optimize.steps.int4 import int4
from foveal.optimize.steps.mixed_precision import mixed_precision
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
_GENTLE = {"flip", "shift"}  # augmentations that leave the teacher's answer nearly as it was
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
            step, because augmentation changes what the pictures show.
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


@dataclass(frozen=True)
class _Rounding:
    """How a graph gets smaller numbers: name of the step, what the numbers are, and the step itself."""

    step: str
    precision: Literal["int8", "int4"]
    of: Callable[[bytes, UInt8], bytes]


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
    """Measure the original as it is, run in its best way, and in smaller numbers without training.

    Weights in 4 bits save bytes and no time, so they are tried where bytes are asked about.
    """
    names = ["original"]
    _measure(shop, "original", shop.original, ways=shop.reference_ways)
    _measure(shop, "original-engine", shop.original, ways=shop.ways)
    if shop.variant("original-engine").speed.way not in shop.reference_ways:
        names.append("original-engine")
    if shop.members.manifest.model.precision == "fp32":
        names += _int8(shop, "original", shop.original)
        if shop.budget.size_bytes is not None or shop.budget.aim == "size":
            rounding = _Rounding("int4", "int4", lambda model, _: int4(model))
            names += _rounded(shop, "original-int4", shop.original, rounding)
    return names


def _measure(shop: Workshop, name: str, path: Path, *, ways: Sequence[Way]) -> None:
    def work() -> Sequence[str]:
        return shop.measured(name, path, ways=ways, started=time.monotonic())

    shop.progress("variants", 0, 1, name)
    shop.carry_out(name, {}, work)


def _int8(shop: Workshop, name: str, source: Path) -> list[str]:
    """Quantize a sealed file; where that loses too much, leave the most sensitive layers in float."""
    names = _rounded(shop, f"{name}-int8", source, _Rounding("quantize", "int8", quantize))
    if names and _lost(shop, names[0]) > shop.budget.drop >= _lost(shop, name):
        names += _rounded(shop, f"{name}-mixed", source, _Rounding("mixed_precision", "int8", _mixed))
    return names


def _mixed(model: bytes, pictures: UInt8) -> bytes:
    return mixed_precision(model, pictures).model


def _rounded(shop: Workshop, name: str, source: Path, rounding: _Rounding) -> list[str]:
    """Seal and measure a rounded graph; return its name, or nothing where it cannot be done."""

    def work() -> Sequence[str]:
        started = time.monotonic()
        path = shop.place(name) / f"{rounding.precision}.foveal"
        try:
            model = rounding.of(shop.read(source).model, shop.roles.shown(_CALIBRATION))
            shop.lowered(source, Lowering(model, rounding.precision, (rounding.step,)), path)
            return shop.measured(name, path, ways=shop.ways, started=started)
        except (DataError, BundleError) as error:
            return shop.failed(name, error)

    shop.progress("variants", 0, 1, name)
    shop.carry_out(name, {"source": shop.digest(source)}, work)
    return [name] if shop.has(name) else []


def _lost(shop: Workshop, name: str) -> float:
    """Return the accuracy that a variant has lost against the original, on the pictures that choose."""
    before, after = shop.variant("original").answers, shop.variant(name).answers
    return shop.roles.pictures.drop(before, after).value


def _taught(shop: Workshop, learning: Learning) -> list[str]:
    """Give every candidate a short lesson, and the most promising one all the time that is left."""
    learning = replace(learning, answers=_answers(shop, learning))
    shown = shop.roles.shown(_CALIBRATION)
    macs = (
        shop.members.manifest.model.macs
        or cost_of(learning.teacher.network, _picture(learning.teacher), name="original", classes=0).macs
    )
    found = candidates(learning.teacher, shown, macs=macs, most=_MOST_CANDIDATES)
    names, lessons = [], shop.budget.seconds * _SHORT_SHARE
    reserve = shop.budget.seconds * _CERTIFY_SHARE
    tried: list[tuple[Candidate, list[str]]] = []
    for candidate in found:
        if not _begun(shop, candidate, "short") and shop.left() < lessons + reserve:
            break
        made = _lesson(shop, learning, candidate, "short", seconds=lessons)
        names += made
        if made:
            tried.append((candidate, made))
    best = _promising(tried, shop)
    left = shop.left() - reserve
    if best is not None and (left > _LEAST_LESSON or _begun(shop, best, "long")):
        names += _lesson(shop, learning, best, "long", seconds=left)
    return names


def _picture(recognizer: Recognizer) -> Tensor:
    preprocess = recognizer.preprocess
    return torch.zeros(1, preprocess.channels, preprocess.size, preprocess.size)


def _answers(shop: Workshop, learning: Learning) -> Tensor | None:
    """Ask the teacher about every example, once a search."""
    path = shop.folder / TEACHER
    if not _GENTLE.issuperset(learning.augmentation):
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


def _promising(tried: Sequence[tuple[Candidate, list[str]]], shop: Workshop) -> Candidate | None:
    """Return the candidate that a long lesson is worth most for.

    Of those that keep the limits on time, size and memory, in float or int8, and are foreseen to keep the one
    on accuracy, it is the best one for the aim. Where none is, it is the one that has lost least; where none
    keeps the first limits either, nothing that is learned would help.
    """
    fitting = [
        (candidate, variant, _lost(shop, variant.name))
        for candidate, names in tried
        for variant in map(shop.variant, names)
        if _fits(variant, shop.budget)
    ]
    if not fitting:
        return None
    hopeful = [one for one in fitting if _SHRINKS * one[2] <= shop.budget.drop]
    if not hopeful or shop.budget.aim == "accuracy":
        return min(fitting, key=lambda one: one[2])[0]
    if shop.budget.aim == "size":
        return min(hopeful, key=lambda one: one[1].size_bytes)[0]
    return min(hopeful, key=lambda one: one[1].speed.ratio)[0]


def _fits(variant: Variant, budget: Budget) -> bool:
    """Return whether a variant keeps the limits that no lesson changes."""
    pairs = (
        (variant.speed.p50, budget.latency_seconds),
        (variant.size_bytes, budget.size_bytes),
        (variant.peak_bytes, budget.memory_bytes),
    )
    return all(limit is None or (value is not None and value <= limit) for value, limit in pairs)


def _lesson(
    shop: Workshop, learning: Learning, candidate: Candidate, length: str, *, seconds: float
) -> list[str]:
    """Teach a candidate, seal it in fp32 and in int8, and measure both."""
    name = f"{candidate.name}-{length}"
    folder = shop.place(name)

    def teach() -> Sequence[str]:
        student = _student(shop, candidate, length)
        plan = _plan(folder / _PLAN, student, learning, shop, candidate, seconds=seconds)
        try:
            taught = distill(
                student,
                learning.guide,
                _needed(shop),
                Lesson(plan, Teaching()),
                checkpoints=folder / "checkpoints",
                progress=shop.progress,
            )
        except DataError as error:  # its loss is no longer finite
            return shop.failed(name, error)
        recognizers.save(taught, folder / "model")
        return [f"variants/{name}/model/weights.safetensors", f"variants/{name}/model/structure.json"]

    shop.progress("variants", 0, 1, name)
    shop.carry_out(f"{name}: teach", {"candidate": candidate.name, "length": length}, teach)
    path = folder / "fp32.foveal"

    def seal() -> Sequence[str]:
        started = time.monotonic()
        if not shop.sealed(shop.model(name), (*candidate.steps, "distill"), path):
            return shop.failed(name, BundleError("its file does not decide as the network", code="parity"))
        return [f"variants/{name}/{path.name}", *shop.measured(name, path, ways=shop.ways, started=started)]

    if not (folder / "model").is_dir():
        return []
    shop.carry_out(name, {"candidate": candidate.name, "length": length}, seal)
    return [name, *_int8(shop, name, path)] if shop.has(name) else []


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

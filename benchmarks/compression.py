"""What pruning, low rank, distillation and int8 cost and gain here, beside what was published elsewhere.

    foveal train DATA --model mobilenet_v2 --size 64 --time 8m --out RUN
    python benchmarks/compression.py RUN --out FOLDER --seconds 120
    python benchmarks/compression.py RUN DATA --out FOLDER --passes 20 --rate 1 --only pruned

The original loses 30, 50, 70 and 90 % of its parameters (whole channels), or has its layers factored, or is
replaced by a student that is at least 8 times smaller. Each learns from the original and is sealed in float
and in int8; so are the original in int8 and the factored network as it is, without a lesson.

Every number is measured on the sealed file: accuracy on the test part, in the way in which the file is
fastest here; lost accuracy on the same pictures, paired; time in the same rounds as the original's. Nothing
is chosen by the test part: all rows are printed. The same line goes on where it was stopped.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from safetensors.torch import load as read_tensors
from safetensors.torch import save as tensor_bytes
from torch import Tensor

from foveal.bundle import ways
from foveal.bundle.locate import locate
from foveal.bundle.ways import REFERENCE, Way
from foveal.core import files
from foveal.core.errors import FovealError
from foveal.core.machine import cpu_name, usable_cpus
from foveal.core.types import Measured
from foveal.export.lowering import Lowering
from foveal.flows._finished_run import data_of, prepared_again
from foveal.flows._prepare import Prepared
from foveal.models._cost import cost_of
from foveal.optimize.budget import Budget
from foveal.optimize.candidate import Start
from foveal.optimize.families.narrow import narrow
from foveal.optimize.families.pruned import pruned
from foveal.optimize.labels import Pictures
from foveal.optimize.measuring import speed, timed
from foveal.optimize.steps.distill import Lesson, Schedule, asked, distill, plan_lesson
from foveal.optimize.steps.low_rank import low_rank
from foveal.optimize.steps.quantize import quantize
from foveal.optimize.steps.recalibrated import recalibrated
from foveal.optimize.variant import Speed, Variant
from foveal.optimize.workshop import TEACHER, Roles, Workshop
from foveal.tasks import recognizer as recognizers
from foveal.tasks.recognizer import Recognizer
from foveal.train.objectives.distill import Teaching
from foveal.train.plan import Plan, read_plan, write_plan

# Of other networks on other pictures: what to expect, not what to reach.
PUBLISHED = {
    "original-int8": "0.49 points, MobileNetV2, ImageNet (NNCF's model zoo, ONNX)",
    "pruned-30": "1.04 points and 1.37× in ONNX Runtime, MobileNetV2, ImageNet, 34 % of the multiply-adds "
    "less (Group Fisher, mmrazor's tables)",
    "pruned-50": "1.33 points, 0.05 with distillation, and 1.46×, ResNet-50, ImageNet, half of the "
    "multiply-adds (Group Fisher, mmrazor's tables)",
    "pruned-70": "2.54 points, ResNet-56, CIFAR-10, 74 % of the multiply-adds less (HRank)",
    "pruned-90": "3.11 points, VGG-19, CIFAR-100, 8.9× fewer multiply-adds (DepGraph)",
    "spatial-50": "1.20 points, ResNet-18, ImageNet, half of the multiply-adds, with channel pruning (AIMET)",
    "tucker-50": "0.50 points of top 5, VGG-16, 4.9× fewer multiply-adds (Tucker)",
    "student": "gains 1.70 points by its teacher, MobileNetV2 ← ResNet-50, ImageNet (mmrazor's tables)",
}
STUDENT = 8  # times fewer parameters
FACTORED = 0.5  # of a layer's weights
SHOWN = 256  # pictures that set batch norms and int8 ranges, and weigh the errors of factors
GENTLE = {"flip", "shift"}  # augmentations that leave the teacher's answer nearly as it was
CAREFUL_BATCH = 128  # of a run without a plan
TIMING = "timing.json"


@dataclass(frozen=True)
class Row:
    """A network to measure.

    Attributes:
        name: Of its folder.
        steps: What was done to the original.
        make: Makes it, untaught.
        rate: Highest learning rate of its lesson, as a share of its architecture's own; 0: no lesson.
        passes: Of its lesson over the pictures, whatever time they take; None: what the time allows.
    """

    name: str
    steps: tuple[str, ...]
    make: Callable[[], Recognizer]
    rate: float
    passes: float | None


@dataclass(frozen=True)
class Lessons:
    """How long networks are taught, and by whom.

    Attributes:
        guide: The original, or what it answered beforehand.
        schedule: Time, batch and augmentation.
        rounding: Share of the lesson, at its end, in which the student computes as an int8 graph would.
    """

    guide: Recognizer | Tensor
    schedule: Schedule
    rounding: float


@dataclass(frozen=True)
class Part:
    """The first or the last part of a lesson: share, rate, rounding in bits, passes of the whole."""

    share: float
    rate: float
    bits: Literal[8] | None
    passes: float | None


def rows(original: Recognizer, shop: Workshop, given: argparse.Namespace) -> Iterator[Row]:
    """Yield all networks that are asked for."""
    shown = shop.roles.shown(SHOWN)
    picture = torch.zeros(1, original.preprocess.channels, original.preprocess.size, original.preprocess.size)
    macs = cost_of(original.network, picture, name="original", classes=len(original.classes)).macs
    start = Start(original, shown, macs)
    for one in pruned(start):
        yield Row(one.name, one.steps, one.make, given.rate, given.passes)
    for kind in given.kinds:
        name = f"{kind}-{100 * FACTORED:.0f}"

        def make(kind: str = kind) -> Recognizer:
            found = low_rank(original, kind=kind, share=FACTORED, pictures=shown)
            return recalibrated(found.recognizer, shown)

        yield Row(f"{name}-untaught", (name,), make, 0.0, None)
        yield Row(name, (name,), make, given.factored_rate, given.passes)
    total = shop.members.manifest.model.parameters
    small = [one for one in narrow(start) if STUDENT * one.parameters <= total]
    if small:
        student = max(small, key=lambda one: one.parameters)
        passes = given.student_passes or given.passes
        yield Row(f"student-{student.name}", student.steps, student.make, student.rate_share, passes)


def workshop(prepared: Prepared, original: Path, given: argparse.Namespace) -> Workshop:
    """Return where all is made: learned from fit, calibrated on calib, measured on test."""
    split, store = prepared.split, prepared.store
    units = split.units[split.test]
    pictures = Pictures.of(store.labels[split.test], labelled=True, units=units)
    roles = Roles(
        chosen_on=np.asarray(store.images[split.test]),
        pictures=pictures,
        calibrating=prepared.examples("calib"),
        learning=prepared.examples("fit"),
    )
    found = ways.here(None if given.engines is None else tuple(given.engines))
    known = [Way(engine, kind, given.threads) for engine, kinds in found.items() for kind in kinds]
    return Workshop(given.out, original, roles, Budget(), ways=known, progress=told)


def told(stage: str, done: int, total: int, note: str = "") -> None:
    """Say on one line of the terminal how far it is."""
    print(f"\r{stage} {done}/{total} {note}"[:110].ljust(110), end="", flush=True)


def lessons(teacher: Recognizer, run: Path, shop: Workshop, given: argparse.Namespace) -> Lessons:
    """Return how networks are taught: as the original was, whose answers are asked for once."""
    plan, learning = read_plan(run / "plan.json"), shop.roles.learning
    assert learning is not None
    augmentation = plan.augmentation if isinstance(plan, Plan) else {}
    schedule = Schedule(
        given.seconds,
        given.batch or (plan.batch_size if isinstance(plan, Plan) else CAREFUL_BATCH),
        rate_share=1.0,
        augmentation=augmentation,
        precision=plan.precision if isinstance(plan, Plan) else "fp32",
        threads=given.lesson_threads,
    )
    if not GENTLE.issuperset(augmentation):
        return Lessons(teacher, schedule, given.rounding)

    def ask() -> list[str]:
        mirrored, bf16 = augmentation.get("flip", 0) > 0, schedule.precision == "bf16"
        answers = asked(teacher, learning, mirrored=mirrored, bf16=bf16, progress=told)
        files.write_bytes(shop.folder / TEACHER, tensor_bytes({"logits": answers}))
        return [TEACHER]

    shop.carry_out("teacher", {"augmentation": augmentation}, ask)
    answers = read_tensors((shop.folder / TEACHER).read_bytes())["logits"]
    return Lessons(answers, schedule, given.rounding)


def taught(row: Row, given: Lessons, shop: Workshop) -> Recognizer:
    """Return a network after its lesson, which goes on where it was stopped."""
    student, folder = row.make(), shop.place(row.name)
    parts: list[tuple[str, float, float, Literal[8] | None]] = [
        ("float", 1 - given.rounding, row.rate, None),
        ("rounded", given.rounding, row.rate / 4, 8),
    ]
    for name, share, rate, bits in parts:
        if share > 0 and rate > 0:
            part = Part(share, rate, bits, row.passes)
            student = _lesson(student, folder / name, given, shop, part)
    return student


def _lesson(student: Recognizer, folder: Path, given: Lessons, shop: Workshop, part: Part) -> Recognizer:
    teaching, learning = Teaching(bits=part.bits), shop.roles.learning
    assert learning is not None
    files.make_folder(folder)
    plan = read_plan(folder / "plan.json")
    if not isinstance(plan, Plan):
        schedule = replace(given.schedule, rate_share=part.rate, seconds=part.share * given.schedule.seconds)
        plan = plan_lesson(student, given.guide, learning, schedule, teaching=teaching).plan
        if part.passes is not None:
            steps = max(1, round(part.share * part.passes * len(learning) / plan.batch_size))
            plan = plan.model_copy(update={"steps": steps})
        write_plan(plan, folder / "plan.json")
    lesson = Lesson(plan, teaching)
    return distill(student, given.guide, learning, lesson, checkpoints=folder / "checkpoints", progress=told)


def made(row: Row, given: Lessons, shop: Workshop) -> list[str]:
    """Teach, seal in float and int8, and measure one network; return the names of the files that passed."""
    folder = shop.place(row.name)

    def teach() -> list[str]:
        recognizers.save(taught(row, given, shop), folder / "model")
        return [f"variants/{row.name}/model/{name}" for name in ("weights.safetensors", "structure.json")]

    def seal() -> list[str]:
        started, path = time.monotonic(), folder / "fp32.foveal"
        if not shop.sealed(shop.model(row.name), (*row.steps, *(["distill"] if row.rate else [])), path):
            return shop.failed(row.name, FovealError("its file does not decide as the network"))
        return shop.measured(row.name, path, ways=shop.ways, started=started)

    shop.carry_out(f"{row.name}: teach", {}, teach)
    shop.carry_out(row.name, {}, seal)
    return [row.name, *rounded(row.name, folder / "fp32.foveal", shop)] if shop.has(row.name) else []


def rounded(name: str, source: Path, shop: Workshop) -> list[str]:
    """Seal and measure a file's int8 version; return its name, or nothing where it cannot be done."""

    def work() -> list[str]:
        started, path = time.monotonic(), shop.place(f"{name}-int8") / "int8.foveal"
        try:
            model = quantize(shop.read(source).model, shop.roles.shown(SHOWN))
            shop.lowered(source, Lowering(model, "int8", ("quantize",)), path)
            return shop.measured(f"{name}-int8", path, ways=shop.ways, started=started)
        except FovealError as error:
            return shop.failed(f"{name}-int8", error)

    shop.carry_out(f"{name}-int8", {"source": shop.digest(source)}, work)
    return [f"{name}-int8"] if shop.has(f"{name}-int8") else []


def originals(shop: Workshop) -> list[str]:
    """Measure the original as it is and in int8."""

    def work() -> list[str]:
        return shop.measured("original", shop.original, ways=shop.ways, started=time.monotonic())

    shop.carry_out("original", {}, work)
    return ["original", *rounded("original", shop.original, shop)]


def side_by_side(variants: list[Variant], shop: Workshop, seconds: float) -> dict[str, list[Speed]]:
    """Time all files in the same rounds: in ONNX Runtime, and each in its own fastest way."""
    path = shop.folder / TIMING

    def work() -> list[str]:
        lanes = [
            (shop.path(one), list(dict.fromkeys([Way(REFERENCE, "fp32", one.speed.threads), one.speed.way])))
            for one in variants
        ]
        found = timed(lanes, shop.roles.chosen_on, seconds=seconds, progress=told)
        speeds = [[asdict(speed(row, found[0][0])) for row in lane] for lane in found]
        files.write_json(path, dict(zip([one.name for one in variants], speeds, strict=True)))
        return [TIMING]

    shop.carry_out("timing", {"variants": [shop.digest(shop.path(one)) for one in variants]}, work)

    def parsed(found: dict[str, Any]) -> dict[str, list[Speed]]:
        return {name: [Speed(**lane) for lane in lanes] for name, lanes in found.items()}

    return files.read_json(path, parsed, hint="remove it, and it is timed anew")


def table(variants: list[Variant], speeds: dict[str, list[Speed]], shop: Workshop) -> str:
    """Return all rows as Markdown, the original first."""
    head = (
        "| what | parameters | multiply-adds | bundle | accuracy | points lost, paired "
        "| times as fast in ONNX Runtime | in its fastest way | passes | published elsewhere |"
    )
    lines = [head, "|" + " --- |" * head.count(" |")]
    for one in variants:
        pictures, before = shop.roles.pictures, variants[0]
        accuracy = pictures.accuracy(one.answers)
        drop = "–" if one is before else _interval(pictures.drop(before.answers, one.answers), 100, 1)
        in_onnx, best = speeds[one.name][0], speeds[one.name][-1]
        cells = [
            one.name,
            f"{one.parameters:,} ({one.parameters / before.parameters:.0%})",
            f"{(one.macs or 0) / 1e6:.1f} M",
            f"{one.size_bytes / 1e3:,.0f} kB ({before.size_bytes / one.size_bytes:.1f}× smaller)",
            f"{_interval(accuracy, 1, 4)}",
            drop,
            _faster(in_onnx),
            f"{_faster(best)}, {1e3 * best.p50:.2f} ms ({best.engine} {best.precision})",
            _passes(shop.folder / "variants" / one.name),
            published(one.name),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _interval(found: Measured, factor: float, digits: int) -> str:
    if found.low is None or found.high is None:
        return f"{factor * found.value:.{digits}f}"
    low, high = factor * found.low, factor * found.high
    return f"{factor * found.value:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def _faster(one: Speed) -> str:
    if one.ratio_low is None or one.ratio_high is None:
        return f"{1 / one.ratio:.2f}×"
    within = "" if one.real else ", within the noise"
    return f"{1 / one.ratio:.2f}× ({1 / one.ratio_high:.2f} to {1 / one.ratio_low:.2f}{within})"


def _passes(folder: Path) -> str:
    plans = [read_plan(folder / part / "plan.json") for part in ("float", "rounded")]
    found = [f"{plan.epochs:.1f}" for plan in plans if isinstance(plan, Plan)]
    return " + ".join(found) if found else "–"


def published(name: str) -> str:
    """Return what to compare a row with; nothing where a lesson or the rounding makes it something else."""
    begins = "student" if name.startswith("student-") and not name.endswith("-int8") else name
    return PUBLISHED.get(begins, "")


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a finished training of a network")
    parser.add_argument("data", nargs="?", help="its data; default: where the run found them")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=120.0, help="of a lesson, as a few steps foresee it")
    parser.add_argument("--passes", type=float, help="of a lesson over the pictures, instead of seconds")
    parser.add_argument("--student-passes", type=float, help="of the small student; default: as --passes")
    parser.add_argument("--batch", type=int, help="default: that of the run")
    parser.add_argument("--rate", type=float, default=0.3, help="of pruned networks, share of a fresh one's")
    parser.add_argument("--factored-rate", type=float, default=0.1)
    parser.add_argument(
        "--rounding", type=float, default=0.0, help="share of a lesson that rounds, at its end"
    )
    parser.add_argument("--kinds", nargs="*", default=["spatial"], help="of low rank")
    parser.add_argument("--only", nargs="*", default=[""], help="rows whose names begin so")
    parser.add_argument("--threads", type=int, default=1, help="of what is timed")
    parser.add_argument("--lesson-threads", type=int, default=usable_cpus(), help="of training")
    parser.add_argument("--engines", nargs="*", help="that may run a file; default: all that are here")
    parser.add_argument("--timing", type=float, default=60.0, help="seconds in which all files take turns")
    return parser.parse_args()


def begin(given: argparse.Namespace) -> None:
    """Refuse to go on with what was begun otherwise."""
    files.make_folder(given.out)
    path = given.out / "request.json"
    known = (
        "run",
        "seconds",
        "passes",
        "student_passes",
        "batch",
        "rate",
        "factored_rate",
        "rounding",
        "threads",
        "engines",
    )
    asked_for = {name: str(getattr(given, name)) for name in known}
    if path.is_file() and files.read_json(path, dict, hint="another --out") != asked_for:
        raise SystemExit(f"{given.out} was begun with other options; take another --out")
    files.write_json(path, asked_for)


def main() -> None:
    given = options()
    begin(given)
    original, threads = recognizers.load(given.run / "model"), usable_cpus()
    data = data_of(given.run, given.data, again=f"python benchmarks/compression.py {given.run} DATA")
    prepared = prepared_again(given.run, data, original, given.out, threads=threads, progress=told)
    shop = workshop(prepared, locate(given.run).resolve(), given)
    names, teaching = originals(shop), lessons(original, given.run, shop, given)
    for row in rows(original, shop, given):
        if row.name.startswith(tuple(given.only)):
            names += made(row, teaching, shop)
    variants = [shop.variant(name) for name in names]
    speeds = side_by_side(variants, shop, given.timing)
    print(f"\r{cpu_name()}, {given.threads} thread(s), {original.architecture} of {given.run}".ljust(110))
    rounds, counted = speeds["original"][0].rounds, int(shop.roles.pictures.independent)
    print(f"n = {counted:,} independent test pictures; timed in {rounds} rounds\n")
    print(table(variants, speeds, shop))
    for name, error in shop.failures().items():
        print(f"\n{name}: {error}")


if __name__ == "__main__":
    main()

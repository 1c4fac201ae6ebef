"""The main job: check → train → export → calibrate → seal → evaluate → report."""

import json
import platform
import re
import shutil
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

import foveal
from foveal import models
from foveal.bundle import archive
from foveal.bundle.predictor import Predictor
from foveal.core import files, machine, runs
from foveal.core.errors import NotFoundError, TemporaryError
from foveal.core.progress import Progress, silent
from foveal.core.random import seed_for
from foveal.core.types import Gate
from foveal.evaluate.held_out import HeldOut
from foveal.evaluate.reporting import report
from foveal.flows._log import Logged
from foveal.flows._prepare import Prepared, prepare
from foveal.flows._report import write_report
from foveal.flows._ship import Shipped, ship
from foveal.tasks import recognizer as recognizers
from foveal.tasks.classify import learn
from foveal.tasks.recognizer import Recognizer
from foveal.train.loop import Examples, Fitted, fit
from foveal.train.objectives.supervised import Supervised
from foveal.train.plan import Plan, read_plan, write_plan
from foveal.train.planning import Facts, plan_training
from foveal.train.recipe import Recipe, read_recipe, write_recipe

SCHEMA = "foveal.train/1"
_EXPORT_SECONDS = 14.0
_PIXELS_PER_SECOND = 1.5e6
_SHOWN = 512  # training images that a network is shown before the first step


@dataclass(frozen=True)
class TrainResult:
    """What a training left behind.

    Attributes:
        run: The run folder.
        bundle: The sealed recognizer, or None where a gate failed.
        report: The page, or None where a gate failed.
        document: The `foveal.train/1` document.
        evaluation: The `foveal.evaluate/1` document of the bundle, or None.
    """

    run: Path
    bundle: Path | None
    report: Path | None
    document: dict[str, Any]
    evaluation: dict[str, Any] | None


def train(
    data: str | Path,
    *,
    recipe: Recipe | None = None,
    out: Path | None = None,
    strict: bool = False,
    force: bool = False,
    progress: Progress = silent,
) -> TrainResult:
    """Train a recognizer on labelled pictures and prove it on the file that ships.

    Args:
        data: Anything `foveal check` recognizes; it is only read.
        recipe: What the user wants; None: all defaults.
        out: Run folder; None: `runs/train-<n>`.
        strict: Warnings of the check stop it.
        force: Write into a folder that is not empty; what an earlier run left there is gone.
        progress: Told about every stage.

    Raises:
        DataError: The data would spoil the result.
        RecipeError: The recipe cannot be carried out.
        WriteError: The run folder cannot be written.
    """
    job = _Job(Path(data), recipe or Recipe(), strict, progress, time.monotonic())
    run = runs.new_run("train", out=out, force=force)
    with runs.locked(run):
        for stale in ("plan.json", "split.json"):
            (run / stale).unlink(missing_ok=True)
        for stale in ("checkpoints", "store"):
            shutil.rmtree(run / stale, ignore_errors=True)
        write_recipe(job.recipe, run / "recipe.toml")
        files.write_json(run / "env.json", _environment(job.recipe))
        return _carry_on(run, job)


def resume(
    run: str | Path, data: str | Path, *, force: bool = False, progress: Progress = silent
) -> TrainResult:
    """Go on with a run that was stopped, killed or cut off, wherever it was.

    On the same machine with the same versions it ends in the weights that it would have ended in.

    Args:
        run: The run folder.
        data: The data it was started with.
        force: Go on elsewhere or with other versions, where the last digits will differ.
        progress: Told about every stage.

    Raises:
        NotFoundError: No run there.
        DataError: The data changed since.
        TemporaryError: Another process is working on the run, or this is another machine.
    """
    run = Path(run)
    if not (run / "recipe.toml").is_file():
        raise NotFoundError(f"{run} is no run that can be resumed: it has no recipe.toml", path=run)
    job = _Job(Path(data), read_recipe(run / "recipe.toml"), False, progress, time.monotonic())
    with runs.locked(run):
        if not force:
            _same_environment(run, _environment(job.recipe))
        return _carry_on(run, job)


@dataclass(frozen=True)
class _Job:
    data: Path
    recipe: Recipe
    strict: bool
    progress: Progress
    started: float


def _carry_on(run: Path, job: _Job) -> TrainResult:
    """Do whatever the run has not done yet."""
    job = replace(job, progress=Logged(job.progress, run / "log.txt"))
    threads = job.recipe.threads or machine.usable_cpus()
    prepared = prepare(job.data, run, job.recipe, strict=job.strict, threads=threads, progress=job.progress)
    plan = read_plan(run / "plan.json") or _plan(run, job, prepared)
    examples = Examples(prepared.store.images, prepared.store.labels, prepared.split.fit)
    fitted = fit(
        make_objective(plan, prepared),
        examples,
        plan,
        checkpoints=run / "checkpoints",
        progress=job.progress,
    )
    return _finish(run, job, prepared, plan, fitted)


def make_objective(plan: Plan, prepared: Prepared) -> Supervised:
    """Return the objective of a plan with its initial weights: a pure function of plan and data."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(plan.seed, "weights"))
        network = recognizers.build(plan.model, plan.arguments)
    if isinstance(network, models.LearnsFromImages):
        shown = prepared.store.images[prepared.split.fit[:: max(1, len(prepared.split.fit) // _SHOWN)]]
        network.learn_from(learn.normalize(torch.from_numpy(shown), prepared.preprocess))
    return Supervised(
        network,
        classes=len(prepared.dataset.classes),
        preprocess=prepared.preprocess,
        augmentation=plan.augmentation,
        label_smoothing=plan.label_smoothing,
    )


def _plan(run: Path, job: _Job, prepared: Prepared) -> Plan:
    """Decide all that is open, and write it down: from here on no clock decides."""
    budget = job.recipe.time_seconds
    deadline = None if budget is None else job.started + budget - _after_seconds(prepared)
    plan = plan_training(
        job.recipe,
        Examples(prepared.store.images, prepared.store.labels, prepared.split.fit),
        Facts(prepared.preprocess.size, prepared.preprocess.channels, len(prepared.dataset.classes)),
        lambda draft: make_objective(draft, prepared),
        seconds_left=None if deadline is None else lambda: deadline - time.monotonic(),
        progress=job.progress,
    )
    write_plan(plan, run / "plan.json")
    return plan


def _finish(run: Path, job: _Job, prepared: Prepared, plan: Plan, fitted: Fitted) -> TrainResult:
    """Ship the averaged weights, measure the file that ships, and report."""
    network = recognizers.build(plan.model, plan.arguments)
    recognizer = Recognizer(
        network, plan.model, plan.arguments, prepared.preprocess, prepared.dataset.classes
    ).with_weights(fitted.weights)
    recognizers.save(recognizer, run / "model")
    files.write_text(run / "history.jsonl", "".join(json.dumps(row) + "\n" for row in fitted.history))
    job.progress("export", 0, 1)
    shipped = ship(recognizer, prepared, run / f"{_name(job.data)}.foveal", threads=plan.threads)
    job.progress("export", 1, 1)
    evaluation, page = None, None
    if shipped.bundle is not None:
        evaluation = _measure(shipped.bundle, prepared, job)
        page = write_report(run, evaluation, fitted.history, prepared)
    document = _document(run, plan, fitted, shipped, evaluation)
    document["seconds"] = round(time.monotonic() - job.started, 2)
    files.write_json(run / "metrics.json", document)
    shutil.rmtree(run / "store", ignore_errors=True)
    return TrainResult(run, shipped.bundle, page, document, evaluation)


def _measure(bundle: Path, prepared: Prepared, job: _Job) -> dict[str, Any]:
    """Open the sealed file as anybody would, measure it on the test part, and attach the report."""
    predictor = Predictor.open(bundle, threads=1)  # batches run side by side
    held_out = HeldOut.of_images(
        prepared.store.images, prepared.store.labels, prepared.dataset.sources, prepared.split.test
    )
    held_out = replace(held_out, fingerprint=prepared.split.fingerprint, split_seed=prepared.split.seed)
    measured = report(
        predictor,
        held_out,
        seed=job.recipe.seed,
        threads=job.recipe.threads,
        progress=job.progress,
    )
    archive.attach_report(bundle, measured.as_json())
    return replace(measured, bundle=str(bundle)).as_json()


def _document(
    run: Path,
    plan: Plan,
    fitted: Fitted,
    shipped: Shipped,
    evaluation: dict[str, Any] | None,
) -> dict[str, Any]:
    """Return the `foveal.train/1` document."""
    gates: list[Gate] = [shipped.parity.gate()]
    metrics = evaluation["metrics"] if evaluation else None
    return {
        "schema": SCHEMA,
        "ok": all(gate.verdict == "pass" for gate in gates),
        "run": str(run),
        "bundle": None if shipped.bundle is None else str(shipped.bundle),
        "report": None if shipped.bundle is None else str(run / "report.html"),
        "digest": evaluation["digest"] if evaluation else None,
        "model": plan.model,
        "task": "classify",
        "seconds": 0.0,
        "train_seconds": round(fitted.seconds, 2),
        "images_per_second": round(plan.steps * plan.batch_size / max(fitted.seconds, 1e-9), 1),
        "data_wait_share": round(fitted.waiting_share, 4),
        "epochs": round(plan.epochs, 3),
        "resumed_from": fitted.resumed_from,
        "metrics": {"test": metrics} if metrics else {},
        "baseline": {"name": "majority class", **metrics["majority"]} if metrics else {},
        "parity": shipped.parity.as_json(),
        "gates": [asdict(gate) for gate in gates],
        "plan": plan.model_dump(),
    }


def _environment(recipe: Recipe) -> dict[str, Any]:
    """Return what the last digits of the weights depend on besides plan and data."""
    return {
        "foveal": foveal.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": machine.cpu_name(),
        "threads": recipe.threads or machine.usable_cpus(),
        **machine.versions("torch", "numpy", "pillow", "onnx", "onnxruntime"),
    }


def _same_environment(run: Path, environment: dict[str, Any]) -> None:
    path = run / "env.json"
    before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    for name in ("cpu", "threads", "torch", "numpy", "pillow"):
        if before.get(name) != environment[name]:
            raise TemporaryError(
                f"the run was started with {name} {before.get(name)!r}, here it is {environment[name]!r}: "
                "the weights would not be bit-identical",
                hint="resume where it was started, or accept that with --force",
                path=run,
            )


def _after_seconds(prepared: Prepared) -> float:
    """Return a forecast of what export, calibration, evaluation and report will take.

    Most is fixed (the exporter's imports); the rest grows with the pictures that are looked at.
    """
    pixels = prepared.preprocess.size**2
    looked_at = len(prepared.split.calib) + len(prepared.split.test) + 4000
    return _EXPORT_SECONDS + looked_at * pixels / _PIXELS_PER_SECOND


def _name(data: Path) -> str:
    """Return the bundle's name: that of the data, without endings and odd characters."""
    stem = data.resolve().name
    for ending in (".gz", ".xz", ".bz2", ".tar", ".tgz", ".zip"):
        stem = stem.removesuffix(ending)
    return re.sub(r"[^\w.-]+", "-", stem).strip("-.") or "recognizer"

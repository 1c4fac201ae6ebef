"""Image-text learning: pairs → two encoders into one space, measured by how each finds the other."""

import json
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from foveal.core import catalog, files, machine, runs
from foveal.core.errors import NotFoundError
from foveal.core.progress import Progress, silent
from foveal.data.pairs import Pairs, open_pairs
from foveal.data.texts.tokenizer import WordTokenizer
from foveal.flows._clip_measure import Gallery, retrieval, thinned
from foveal.flows._clip_pairs import PreparedPairs, prepare_pairs
from foveal.flows._clip_plan import OBJECTIVE, checked, form, long_texts, objective, planned
from foveal.flows._environment import bit_exact, compare_environment, environment, write_environment
from foveal.flows._job import PLAN
from foveal.flows._log import Logged
from foveal.flows._prepare import STORE
from foveal.flows._run_folder import (
    METRICS,
    RECIPE,
    Command,
    bundle_name,
    read_command,
    start,
    undone_if_refused,
)
from foveal.flows._train_document import clock
from foveal.report.clip_page import clip_page
from foveal.tasks import image_text
from foveal.tasks.image_text import ImageText
from foveal.train import checkpoint
from foveal.train.loop import Fitted, fit, settings
from foveal.train.multimodal.clip import SETTINGS
from foveal.train.plan import Plan, read_plan, write_plan
from foveal.train.recipe import Recipe, read_recipe, write_recipe
from foveal.train.setting import filled

SCHEMA = "foveal.clip/1"
MODEL = "model"
_LOG, _CHECKPOINTS, _REPORT = "log.txt", "checkpoints", "report.html"
_AFTERWARDS = (2.0, 0.03)  # seconds, or share of the budget, for measuring


@dataclass(frozen=True)
class ClipResult:
    """What a training left behind.

    Attributes:
        document: The `foveal.clip/1` document.
        run: The run folder.
        report: The page.
    """

    document: dict[str, Any]
    run: Path
    report: Path


@dataclass(frozen=True)
class _Job:
    recipe: Recipe
    command: Command
    progress: Progress
    started: float

    @property
    def threads(self) -> int:
        return self.recipe.threads or machine.usable_cpus()

    @property
    def deadline(self) -> float | None:
        """When training has to end, on the monotonic clock; None: there is no budget."""
        budget = self.recipe.time_seconds
        return (
            None if budget is None else self.started + budget - max(_AFTERWARDS[0], _AFTERWARDS[1] * budget)
        )

    @property
    def words(self) -> int:
        return int(filled(SETTINGS, self.recipe.settings, of=OBJECTIVE)["vocabulary"])


def pretrain_clip(
    data: str | Path,
    *,
    recipe: Recipe | None = None,
    out: Path | None = None,
    force: bool = False,
    progress: Progress = silent,
) -> ClipResult:
    """Learn which text belongs to which picture, and measure it on pairs that were kept apart.

    Args:
        data: A table `path,text[,split]` (CSV, TSV or JSON), or a folder with one; see `data.pairs`.
        recipe: What the user wants; its `settings` are those of `train/multimodal/clip.py`. None: defaults.
        out: Run folder; None: `runs/clip-<n>`.
        force: Replace a run that is in the folder.
        progress: Told about every stage.

    Raises:
        NotFoundError, DataError: The pairs are not there, or would spoil the result.
        RecipeError: The recipe cannot be carried out, or asks for what has no meaning here.
        UnknownNameError: It names a model or an augmentation that is not there.
        WriteError: The run folder cannot be written, holds something else than a run, or lies in the data.
    """
    recipe = checked(recipe or Recipe())
    pairs = open_pairs(data)
    runs.keep_apart(out, pairs.path, *_folders(pairs))
    command = Command(bundle_name(pairs.path), data=str(pairs.path.absolute()))
    job = _Job(recipe, command, progress, time.monotonic())
    made = out is None or not files.is_there(out)
    run = runs.new_run(OBJECTIVE, out=out, force=force)
    with runs.locked(run):
        with undone_if_refused(run, started=True, made=made):
            start(run, recipe, command, environment(recipe))
            runs.mark_last(run)
            prepared, tokenizer, plan = _decided(run, job, pairs)
        return _carried_out(run, job, prepared, tokenizer, plan)


def resume_clip(
    run: str | Path,
    data: str | Path,
    *,
    threads: int | None = None,
    force: bool = False,
    progress: Progress = silent,
) -> ClipResult:
    """Go on with a run that was stopped or killed; it ends in the weights that it would have ended in.

    Args:
        run: The run folder, or `runs/last`.
        data: The pairs it was started with, wherever they are now.
        threads: From now on; None: as many as before.
        force: Go on elsewhere or with other versions, where the last digits will differ.
        progress: Told about every stage.

    Raises:
        NotFoundError: No run there.
        DataError: The data have changed since.
        UsageError: This is another machine, number of threads or version, and `force` is off.
        TemporaryError: Another process is working on the run.
    """
    run = runs.find(run)
    if not (run / RECIPE).is_file() or read_recipe(run / RECIPE).objective != OBJECTIVE:
        raise NotFoundError(f"{run} is no run of foveal clip train that can be resumed", path=run)
    pairs = open_pairs(data)
    runs.keep_apart(run, pairs.path, *_folders(pairs))
    recipe = read_recipe(run / RECIPE).changed(threads=threads)
    job = _Job(recipe, read_command(run, pairs.path), progress, time.monotonic())
    with runs.locked(run):
        moved = compare_environment(run, environment(recipe), force=force)
        with undone_if_refused(run, started=False, made=False):
            runs.mark_last(run)
            prepared, tokenizer, plan = _decided(run, job, pairs)
            if moved is not None:  # only now: data that are refused leave the run as it was
                write_environment(run, moved)
        return _carried_out(run, job, prepared, tokenizer, plan)


def _folders(pairs: Pairs) -> list[Path]:
    names = {source.rpartition("/")[0] for source in pairs.sources}
    return [pairs.path.parent / name for name in sorted(names)]


_Decided = tuple[PreparedPairs, WordTokenizer, Plan]


def _decided(run: Path, job: _Job, pairs: Pairs) -> _Decided:
    """Read the pictures and plan the training, as far as that is not done yet."""
    progress = Logged(job.progress, run / _LOG)
    decoded = (run / STORE).is_dir()
    try:
        prepared = prepare_pairs(
            pairs,
            run,
            size=job.recipe.size,
            seed=job.recipe.dividing_seed,
            threads=job.threads,
            progress=progress,
        )
        learned = prepared.texts(prepared.division.fit)
        tokenizer = WordTokenizer.learned(learned, most=job.words)
        plan = read_plan(run / PLAN)
        if not isinstance(plan, Plan):
            deadline = job.deadline
            left = None if deadline is None else lambda: deadline - time.monotonic()
            plan = planned(job.recipe, prepared, tokenizer, seconds_left=left, progress=progress)
        elif plan.threads != job.threads:
            moved = plan.model_copy(update={"threads": job.threads})
            checkpoint.adopt(run / _CHECKPOINTS, plan=plan.digest, by=moved.digest)
            plan = moved
        write_plan(plan, run / PLAN)
        write_recipe(job.recipe, run / RECIPE)
        progress("plan", 1, 1, plan.reasons["length"])
    except Exception:
        if not decoded:  # refused: nothing will go on from it
            shutil.rmtree(run / STORE, ignore_errors=True)
        raise
    return prepared, tokenizer, plan


def _carried_out(
    run: Path, job: _Job, prepared: PreparedPairs, tokenizer: WordTokenizer, plan: Plan
) -> ClipResult:
    """Train as far as that is not done yet, measure what comes out, and report."""
    progress = Logged(job.progress, run / _LOG)
    with settings(plan):
        learning = objective(plan, prepared, tokenizer)
    fitted = fit(learning, prepared.examples, plan, checkpoints=run / _CHECKPOINTS, progress=progress)
    built = form(plan, prepared, tokenizer)
    model = ImageText(built.build(), built, tokenizer, prepared.preprocess).with_weights(fitted.weights)
    image_text.save(model, run / MODEL)
    files.write_text(run / "history.jsonl", "".join(json.dumps(row) + "\n" for row in fitted.history))
    with settings(plan):
        metrics = _measured(model, prepared)
    findings = [*prepared.division.findings(), *long_texts(plan, prepared, tokenizer)]
    document = _document(run, prepared, plan, fitted) | {
        "findings": [asdict(one) for one in findings],
        "scale": round(model.scale, 3),
        "metrics": {} if metrics is None else {"test": metrics},
    }
    earlier = fitted.seconds - fitted.seconds_now
    document |= clock(job.recipe.time_seconds, time.monotonic() - job.started + earlier)
    files.write_text(run / _REPORT, clip_page(document, history=fitted.history))
    files.write_json(run / METRICS, document)
    shutil.rmtree(run / STORE, ignore_errors=True)
    return ClipResult(document, run, run / _REPORT)


def _measured(model: ImageText, prepared: PreparedPairs) -> dict[str, Any] | None:
    """Return how pictures and texts that were kept apart find each other, or None where there are none."""
    pairs, division = prepared.pairs, prepared.division
    if len(division.test) == 0:
        return None
    kept, of = thinned(pairs.pictures[division.test])
    places = division.test[kept]
    there, pictures = np.unique(pairs.pictures[places], return_inverse=True)
    gallery = Gallery(
        vectors=model.images(prepared.store.images, there),
        pictures=pictures.reshape(-1),
        contents=division.contents(pairs)[places],
        texts=tuple(prepared.texts(places)),
        of=of,
    )
    return retrieval(model, gallery, learned=set(prepared.texts(division.fit)))


def _document(run: Path, prepared: PreparedPairs, plan: Plan, fitted: Fitted) -> dict[str, Any]:
    division, pairs = prepared.division, prepared.pairs
    return {
        "schema": SCHEMA,
        "ok": True,
        "action": "train",
        "run": str(run),
        "report": str(run / _REPORT),
        "model": catalog.spoken(plan.model),
        "data": str(pairs.path),
        "pairs": {"fit": len(division.fit), "test": len(division.test)},
        "pictures": {
            "fit": len(np.unique(pairs.pictures[division.fit])),
            "test": len(np.unique(pairs.pictures[division.test])),
        },
        "texts_learned": len(set(prepared.texts(division.fit))),
        "train_seconds": round(fitted.seconds, 2),
        "images_per_second": round(plan.steps * plan.batch_size / max(fitted.seconds, 1e-9), 1),
        "epochs": round(plan.epochs, 3),
        "resumed_from": fitted.resumed_from,
        "damaged_checkpoints": list(fitted.passed_over),
        "bit_exact": bit_exact(run),
        "plan": plan.model_dump(),
    }

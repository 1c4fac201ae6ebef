"""Adapt a finished recognizer to a new environment: show → adapt → calibrate → seal → compare."""

import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from foveal.bundle import archive
from foveal.bundle.locate import locate
from foveal.bundle.manifest import Data, Images
from foveal.calibrate.fit import Promises
from foveal.core import catalog, files, machine, runs
from foveal.core.progress import Progress, silent
from foveal.core.promises import calibration_images_needed
from foveal.data import opening
from foveal.evaluate.held_out import HeldOut
from foveal.export.sealing import Exported, Origin, bundle
from foveal.flows._adapt_pictures import Apart, Labelled, Shown, labelled_at, shown
from foveal.flows._adapt_proof import Answered, compared
from foveal.flows._adapt_report import write_adapt_report
from foveal.flows._environment import environment
from foveal.flows._export import promises_of
from foveal.flows._finished_run import data_of, prepared_again
from foveal.flows._log import Logged
from foveal.flows._pool import HELD_OUT, contents_of
from foveal.flows._prepare import STORE, Prepared
from foveal.flows._run_folder import ADAPTED, METRICS, RECIPE, read_command, start, undone_if_refused
from foveal.flows._shown import note
from foveal.tasks import recognizer as recognizers
from foveal.tasks.recognizer import Recognizer
from foveal.train import adapting
from foveal.train.adaptation._adapted import Adapted, check_adaptable
from foveal.train.recipe import Recipe, read_recipe

SCHEMA = "foveal.adapt/1"
_PLAN, _LOG = "plan.json", "log.txt"


@dataclass(frozen=True)
class Terms:
    """How to adapt.

    Attributes:
        method: Name of a file in `train/adaptation`.
        settings: Numbers of the method.
        labelled: Labelled pictures of the new environment; they are measured on, never learned from.
        data: Where the run's own data are now; None: where it found them.
        seed: Of the order in which pictures are looked at.
        threads: None takes all processors we may use.
    """

    method: str = "statistics"
    settings: Mapping[str, float] = field(default_factory=dict)
    labelled: Path | None = None
    data: Path | None = None
    seed: int = 0
    threads: int | None = None


USUAL = Terms()


@dataclass(frozen=True)
class AdaptResult:
    """What an adaptation left behind.

    Attributes:
        run: The run folder.
        bundle: The sealed recognizer, or None where a gate failed.
        report: The page.
        document: The `foveal.adapt/1` document.
    """

    run: Path
    bundle: Path | None
    report: Path
    document: dict[str, Any]


@dataclass(frozen=True)
class _Job:
    """What is to be done, and with what.

    Attributes:
        source: The run whose network is adapted; it is only read.
        bundle: Its file.
        data: Where its pictures are.
        recognizer: Its network.
        recipe: What it was trained by.
        terms: How to adapt, with all settings and threads.
        progress: Told about every stage.
    """

    source: Path
    bundle: Path
    data: Path
    recognizer: Recognizer
    recipe: Recipe
    terms: Terms
    progress: Progress

    @property
    def threads(self) -> int:
        return self.terms.threads or machine.usable_cpus()


def adapt(
    run: str | Path,
    pictures: str | Path,
    terms: Terms = USUAL,
    *,
    out: Path | None = None,
    force: bool = False,
    progress: Progress = silent,
) -> AdaptResult:
    """Get the network of a run used to pictures of a new environment, and seal what comes out.

    What it leaves is a run like one of a training; after an error or Ctrl-C nothing is left.

    Args:
        run: A finished run of `train` with a network for pictures, or of `adapt`; it is only read.
        pictures: Of the new environment: a folder, an archive or a data set whose labels are not looked at.
        terms: How.
        out: Run folder; None: `runs/adapt-<n>`.
        force: Replace a run that is in the folder.
        progress: Told about every stage.

    Raises:
        NotFoundError: No finished run, no pictures, or the run's own data are not where they were.
        DataError: The data are not those of the run, there are too few pictures, or labelled ones have a
            class that the run lacks or were learned from.
        RecipeError, UnknownNameError: No such method, or setting of it.
        UsageError: `no_batch_norm`, `other_task`, `no_classes`: there is nothing that could adapt.
        WriteError: The run folder cannot be written, or lies in the data or in the other run.
    """
    started = time.monotonic()
    terms = replace(terms, settings=adapting.settings_of(terms.method, terms.settings))
    source, pictures = runs.find(run), Path(pictures)
    data = data_of(source, terms.data, again=f"foveal adapt {source} {pictures} --data DATA")
    recognizer = recognizers.load(source / "model")
    check_adaptable(recognizer)
    job = _Job(source, locate(source), data, recognizer, read_recipe(source / RECIPE), terms, progress)
    named = [] if terms.labelled is None else [terms.labelled]
    runs.keep_apart(out, *(place for some in (pictures, data, *named) for place in opening.places(some)))
    if out is not None:
        runs.keep_apart(out, source)
    made = out is None or not files.is_there(out)
    target = runs.new_run("adapt", out=out, force=force)
    with runs.locked(target), undone_if_refused(target, started=True, made=made, stopped=True):
        return _carried_out(target, replace(job, progress=progress), pictures, started)


def _carried_out(run: Path, job: _Job, pictures: Path, started: float) -> AdaptResult:
    terms = job.terms
    recipe = job.recipe.changed(threads=terms.threads)
    start(run, recipe, read_command(job.source, job.data), environment(recipe))
    runs.mark_last(run)
    job = replace(job, progress=Logged(job.progress, run / _LOG))
    if (job.source / _PLAN).is_file():  # how the network learned, for those who train smaller ones like it
        files.write_bytes(run / _PLAN, (job.source / _PLAN).read_bytes())
    few = None if terms.labelled is None else labelled_at(terms.labelled, job.bundle, progress=job.progress)
    prepared = prepared_again(
        job.source, job.data, job.recognizer, run, threads=job.threads, progress=job.progress
    )
    apart = _apart(run, prepared, few)
    new = shown(pictures, run, job.recognizer.preprocess, apart=apart, progress=job.progress)
    adapted = adapting.method(terms.method)(
        job.recognizer,
        new.examples,
        terms.settings,
        seed=terms.seed,
        threads=job.threads,
        progress=job.progress,
    )
    answered = Answered.of(job.recognizer, adapted.recognizer, new.examples)
    recognizers.save(adapted.recognizer, run / "model")
    document = _document(run, job, new, adapted, answered)
    if answered.gate().verdict == "pass":
        document |= _sealed(run, job, prepared, adapted, few)
    calibrated = document["calibrated"] is not None and document["calibrated"]["on"] == "labelled"
    on = few.contents if few is not None and calibrated else ()
    note(run, prepared.split.fingerprint, unlabelled=new.contents, calib=on)
    document["gates"] = [asdict(answered.gate()), *document["gates"]]
    document["ok"] = all(gate["verdict"] == "pass" for gate in document["gates"])
    page = write_adapt_report(run, document, new, answered)
    document["seconds"] = round(time.monotonic() - started, 2)
    files.write_json(run / ADAPTED, {key: document[key] for key in ("source", "method", "settings")})
    shutil.rmtree(run / STORE, ignore_errors=True)
    files.write_json(run / METRICS, document)
    sealed = None if document["bundle"] is None else Path(document["bundle"])
    return AdaptResult(run, sealed, page, document)


def _apart(run: Path, prepared: Prepared, few: Labelled | None) -> Apart:
    """Return what is not adapted to: what calibrates and what tests measures the file in the old place."""
    held_out = [prepared.examples(role) for role in HELD_OUT]
    if few is None:
        return Apart(contents_of(run, HELD_OUT), held_out)
    return Apart(contents_of(run, HELD_OUT) | few.contents, [*held_out, few.examples])


def _document(run: Path, job: _Job, new: Shown, adapted: Adapted, answered: Answered) -> dict[str, Any]:
    """Return the document as it is where nothing could be sealed."""
    return {
        "schema": SCHEMA,
        "ok": False,
        "run": str(run),
        "bundle": None,
        "report": str(run / "report.html"),
        "digest": None,
        "source": {"run": str(job.source), "digest": archive.read(job.bundle).manifest.digest},
        "method": job.terms.method,
        "settings": dict(job.terms.settings),
        "model": catalog.spoken(job.recognizer.architecture),
        "pictures": dict(new.about),
        "steps": adapted.steps,
        "history": list(adapted.history),
        "answers": answered.as_json(),
        "calibrated": None,
        "accuracy": {"new": None, "old": None},
        "parity": None,
        "gates": [],
    }


def _sealed(
    run: Path, job: _Job, prepared: Prepared, adapted: Adapted, few: Labelled | None
) -> dict[str, Any]:
    """Calibrate and seal the adapted network, and compare it with the one before."""
    promises = promises_of(job.recipe)
    calibrated = _calibrated(prepared, job, few, promises)
    job.progress("export", 0, 1)
    path = run / f"{read_command(run, job.data).name}{archive.SUFFIX}"
    exported = _exported(path, job, prepared, adapted, few if calibrated["on"] == "labelled" else None)
    job.progress("export", 1, 1)
    found = {
        "calibrated": calibrated,
        "parity": exported.parity.as_json(),
        "gates": [asdict(exported.parity.gate())],
    }
    if exported.bundle is None:
        return found
    split, store = prepared.split, prepared.store
    old = HeldOut.of_images(store.images, store.labels, prepared.dataset.sources, split.test)
    old = replace(old, units=split.units[split.test])
    return {
        **found,
        "bundle": str(exported.bundle),
        "digest": archive.read(exported.bundle).manifest.digest,
        "accuracy": {
            "new": None if few is None else _compared(job, exported.bundle, few.held_out),
            "old": _compared(job, exported.bundle, old),
        },
    }


def _compared(job: _Job, adapted: Path, held_out: HeldOut) -> dict[str, Any]:
    return compared(
        job.bundle, adapted, held_out, seed=job.terms.seed, threads=job.threads, progress=job.progress
    )


def _calibrated(prepared: Prepared, job: _Job, few: Labelled | None, promises: Promises) -> dict[str, Any]:
    """Return on which pictures confidence and thresholds are fitted, and how many it takes."""
    needed = calibration_images_needed(promises.risk, promises.delta)
    count = missing = 0
    if few is not None:
        units, labels = few.held_out.units, few.held_out.labels
        count = len(labels) if units is None else len(set(units.tolist()))
        missing = len(job.recognizer.classes) - len(set(labels.tolist()))
    on = "labelled" if few is not None and count >= needed and not missing else "run"
    images = len(few.held_out) if few is not None and on == "labelled" else len(prepared.split.calib)
    return {"on": on, "images": images, "needed": needed, "labelled": count, "missing_classes": missing}


def _exported(path: Path, job: _Job, prepared: Prepared, adapted: Adapted, few: Labelled | None) -> Exported:
    """Seal the bundle; `few` calibrates it, or where that is None the run's own pictures do."""
    before, split = archive.read(job.bundle).manifest, prepared.split
    calib = prepared.examples("calib") if few is None else few.examples
    images = Images(fit=len(split.fit), calib=len(calib), test=len(split.test))
    return bundle(
        adapted.recognizer,
        path,
        calib=calib,
        test=prepared.examples("test"),
        origin=Origin(
            Data(
                fingerprint=split.fingerprint,
                split_seed=split.seed,
                images=images,
                split_digest=split.digest,
            ),
            source=before.model.source,
            licenses=before.licenses,
            made_from=before.digest,
            steps=(f"adapt by {job.terms.method} to {adapted.pictures} pictures",),
            promises=promises_of(job.recipe),
            # Pictures of the old environment are none that the adapted network would call usual in the new.
            fit=prepared.examples("fit") if few is None else None,
        ),
        threads=job.threads,
    )

"""`foveal build`: check → train → calibrate and export → evaluate → bench → one folder to hand over."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import foveal
from foveal.bundle import archive, engines
from foveal.core import catalog, files, machine, runs
from foveal.core.errors import DataError, UsageError
from foveal.core.progress import Progress, silent
from foveal.core.steps import Steps, Stopwatch
from foveal.data import inventory as inventories
from foveal.data import opening
from foveal.data.fingerprint import fingerprint
from foveal.flows._hand_over import CARD, REPORT, hand_over, verdict
from foveal.flows._prepare import refuse
from foveal.flows._run_folder import METRICS, RECIPE, bundle_name
from foveal.flows.bench import Terms
from foveal.flows.bench import bench as measure_speed
from foveal.flows.check import check
from foveal.flows.train import resume, train
from foveal.train.planning import check_recipe
from foveal.train.recipe import Recipe

SCHEMA = "foveal.build/1"
BUILD, STEPS, REQUEST = "build.json", "steps.json", "request.json"
CHECK, BENCH, RUN = "check.json", "bench.json", "run"
_TERMS = Terms(batches=(1, 8))
_PARTS = {"export": "export", "measuring": "evaluate", "disturbing": "evaluate"}  # stages of the training


@dataclass(frozen=True)
class _Job:
    data: Path
    out: Path
    recipe: Recipe
    strict: bool
    progress: Progress

    @property
    def name(self) -> str:
        return bundle_name(self.data)

    def request(self, found: str) -> dict[str, Any]:
        """Return what the line asks for, and of which data."""
        return {
            "data": found,
            "strict": self.strict,
            "recipe": self.recipe.model_dump(mode="json"),
            "foveal": foveal.__version__,
        }


def build(
    data: str | Path,
    *,
    recipe: Recipe | None = None,
    out: Path | None = None,
    strict: bool = False,
    force: bool = False,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Go from pictures to a folder to hand over, or go on where the same call was stopped.

    Args:
        data: Anything `foveal check` recognizes; it is only read.
        recipe: Of the training; None: all defaults.
        out: Folder to write; None: `runs/build-<name of the data>`.
        strict: Warnings of the check stop it.
        force: Begin anew where another call, or this one, has built.
        progress: Told about every stage.

    Returns:
        The `foveal.build/1` document, which is also in `build.json`.

    Raises:
        DataError: The data would spoil the result, or changed since the folder was begun (`data_changed`); or
            the record of its steps is damaged (`bad_steps`).
        UsageError: The folder was begun with other options (`other_build`).
        TemporaryError: Another process is building there.
        WriteError: The folder cannot be written, holds something else, or lies in the data.
    """
    started = time.monotonic()
    data = Path(data)
    job = _Job(data, out or runs.ROOT / f"build-{bundle_name(data)}", recipe or Recipe(), strict, progress)
    check_recipe(job.recipe)
    runs.keep_apart(job.out, *opening.places(data))
    dataset = opening.open(data, task=job.recipe.task, things=job.recipe.things)
    runs.claim(job.out, request=REQUEST, kind="build")
    with runs.locked(job.out):
        hashes = inventories.content_hashes(dataset, progress=progress)
        found = fingerprint(dataset.sources, dataset.truths, hashes)
        request = job.request(found)
        _begin(job, request, force=force)
        steps = Steps(job.out, STEPS)
        _check(job, steps, request)
        _train(job, steps, request)
        document = _document(job, steps)
        if document["bundle"] is not None:
            _bench(job, steps)
            _report(job, steps)
            document = _finished(document, job, steps)
        document["seconds"] = round(time.monotonic() - started, 2)
        files.write_json(job.out / BUILD, document)
        runs.mark_last(job.out)
    return document


def _begin(job: _Job, request: Mapping[str, Any], *, force: bool) -> None:
    """Write down what is asked; refuse to go on with what somebody asked otherwise."""
    path = job.out / REQUEST
    before = _read(path) if path.is_file() else None
    if before == request and not force:
        return
    if before is not None and not force:
        raise _changed(before, request, job)
    if before is not None:
        _clear(job)
    files.write_json(path, dict(request))


def _clear(job: _Job) -> None:
    """Remove what an earlier build wrote; the request goes last: until then the folder is known as ours."""
    for name in (STEPS, BUILD, CHECK, BENCH, REPORT, CARD, RUN):
        files.remove(job.out / name)
    for bundle in job.out.glob(f"*{archive.SUFFIX}"):
        files.remove(bundle)


def _changed(before: Mapping[str, Any], now: Mapping[str, Any], job: _Job) -> DataError | UsageError:
    hint = "--force builds anew in this folder; another --out keeps both"
    if before.get("data") != now["data"]:
        message = f"{job.data} is not the data that {job.out} was begun with, or has changed since"
        return DataError(message, code="data_changed", hint=hint, path=job.data)
    old, new = ({**one, **one.get("recipe", {})} for one in (before, now))
    names = [name for name in new if name != "recipe" and old.get(name) != new[name]]
    told = ", ".join(f"{name} {old.get(name)!r} instead of {new[name]!r}" for name in names)
    return UsageError(f"{job.out} was begun with {told}", code="other_build", hint=hint, path=job.out)


def _check(job: _Job, steps: Steps, request: Mapping[str, Any]) -> None:
    def work() -> list[str]:
        dataset = job.recipe.opened(job.data)
        found = check(
            dataset, seed=job.recipe.dividing_seed, threads=job.recipe.threads, progress=job.progress
        )
        found = found.strictly() if job.strict else found
        files.write_json(job.out / CHECK, found.as_json())  # also where it stops here: it says why
        refuse(found.findings, job.data, strict=job.strict)
        return [CHECK]

    steps.carry_out("check", {"step": "check", **request}, work)


def _train(job: _Job, steps: Steps, request: Mapping[str, Any]) -> None:
    """Train, export, evaluate and report; the run itself knows how to go on."""
    run = job.out / RUN
    watch = Stopwatch(job.progress, lambda stage: _PARTS.get(stage, "train"))

    def work() -> list[str]:
        if (run / RECIPE).is_file():
            own = None if isinstance(job.recipe.model, str) else job.recipe.model
            result = resume(run, job.data, model=own, progress=watch)
        else:
            result = train(job.data, recipe=job.recipe, out=run, strict=job.strict, progress=watch)
        made = [result.report, run / METRICS, *([result.bundle] if result.bundle else [])]
        return [path.relative_to(job.out).as_posix() for path in made]

    try:
        steps.carry_out("train", {"step": "train", **request}, work, parts=lambda: watch.seconds)
    except UsageError as error:
        if error.code == "other_environment":
            error.hint = "go on where it was begun; or build anew with --force, or in another --out"
        raise


def _bench(job: _Job, steps: Steps) -> None:
    sealed = archive.read(_bundle(job)).manifest.digest

    def work() -> list[str]:
        found = measure_speed(_bundle(job), data=job.data, terms=_TERMS, progress=job.progress)
        document = {**found.as_json(), "bundle": str(job.out / f"{job.name}{archive.SUFFIX}")}
        files.write_json(job.out / BENCH, document)
        return [BENCH]

    here = {
        "step": "bench",
        "digest": sealed,
        "foveal": foveal.__version__,
        "cpu": machine.cpu_name(),
        "cores": machine.usable_cpus(),
        "engines": machine.versions(*catalog.names(engines)),
        "terms": asdict(_TERMS),
    }
    steps.carry_out("bench", here, work)


def _report(job: _Job, steps: Steps) -> None:
    def work() -> list[str]:
        return hand_over(job.out, job.name, run=job.out / RUN, speed=_read(job.out / BENCH))

    before = {"step": "report", **steps["train"].made, **steps["bench"].made}
    steps.carry_out("report", before, work)


def _document(job: _Job, steps: Steps) -> dict[str, Any]:
    """Return the document as far as the training goes."""
    trained = _read(job.out / RUN / METRICS)
    return {
        "schema": SCHEMA,
        "ok": trained["ok"],
        "out": str(job.out),
        "run": str(job.out / RUN),
        "bundle": None if trained["bundle"] is None else str(job.out / f"{job.name}{archive.SUFFIX}"),
        "digest": trained["digest"],
        "report": str(job.out / RUN / REPORT),
        "check": str(job.out / CHECK),
        "bench": None,
        "card": None,
        "metrics": trained["metrics"],
        "baseline": trained["baseline"],
        "parity": trained["parity"],
        "gates": trained["gates"],
        "findings": trained["findings"],
        "chosen": None,
        "verdict": [],
        "steps": _told(steps, ("check", "train")),
    }


def _finished(document: dict[str, Any], job: _Job, steps: Steps) -> dict[str, Any]:
    speed = _read(job.out / BENCH)
    return {
        **document,
        "report": str(job.out / REPORT),
        "bench": str(job.out / BENCH),
        "card": str(job.out / CARD),
        "chosen": speed["chosen"],
        "verdict": verdict(archive.read(_bundle(job)), speed),
        "steps": _told(steps, ("check", "train", "bench", "report")),
    }


def _told(steps: Steps, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return a row for each step; training, export with calibration, and evaluation are parts of one."""
    rows = []
    for name in names:
        step, status = steps[name], "kept" if name in steps.kept else "done"
        for part, seconds in (step.parts or {name: step.seconds}).items():
            rows.append({"name": part, "seconds": seconds, "status": status})
    return rows


def _bundle(job: _Job) -> Path:
    return job.out / RUN / f"{job.name}{archive.SUFFIX}"


def _read(path: Path) -> dict[str, Any]:
    """Return a JSON object that we wrote.

    Raises:
        DataError: It is damaged.
    """
    return files.read_json(path, lambda document: {**document}, hint="--force builds anew in this folder")

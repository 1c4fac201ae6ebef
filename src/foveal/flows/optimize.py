"""`foveal optimize`: the smallest, fastest recognizer that still keeps the user's limits, measured here."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import foveal
from foveal.bundle import archive, remembered, roofline, ways
from foveal.bundle.archive import SUFFIX
from foveal.bundle.roofline import Roofline
from foveal.bundle.ways import Way
from foveal.core import files, machine, runs
from foveal.core.errors import UsageError
from foveal.core.progress import Progress, silent
from foveal.core.task import SCENE_TASKS
from foveal.flows._compare_scenes import measure_for
from foveal.flows._optimize_document import levers_of, optimize_document
from foveal.flows._optimize_pictures import OfBundle
from foveal.flows._optimize_proof import TEST, delivered
from foveal.flows._optimize_run import OfRun
from foveal.flows._optimize_setup import Material
from foveal.flows._prepare import FINDINGS, SPLIT, STORE
from foveal.flows._run_folder import RECIPE
from foveal.flows._shown import SHOWN
from foveal.flows._where import Where
from foveal.flows.bench import usual_threads
from foveal.optimize.budget import Budget
from foveal.optimize.decision import Field, decide
from foveal.optimize.effects import Effect, effects, made_from
from foveal.optimize.measuring import ratio, really_faster, speed, timed
from foveal.optimize.search import search
from foveal.optimize.variant import Ratio, Speed, Variant
from foveal.optimize.workshop import FILES as WORKSHOP_FILES
from foveal.optimize.workshop import STEPS, Workshop
from foveal.report.optimized_page import optimized_page

REQUEST, DOCUMENT, REPORT = "request.json", "optimize.json", "report.html"
_TIMING, _ROOF = "timing.json", "roofline.json"
# What a search writes besides its request: --force removes this and nothing else.
_BEGUN = (SPLIT, FINDINGS, SHOWN, STORE)  # what one without a finished step may have written
_OURS = (*WORKSHOP_FILES, _TIMING, TEST, _ROOF, DOCUMENT, REPORT, *_BEGUN, f"*{SUFFIX}")
_FINAL_SECONDS, _FINAL_SHARE = 12.0, 0.03  # of timing all variants in the same rounds; of the budget at most
_LEAST_FOR_ROOF = 300.0  # seconds of a search; this machine's limits take four more


@dataclass(frozen=True)
class Terms:
    """How to search.

    Attributes:
        budget: The limits.
        train: Whether networks may be trained.
        threads: That one answer may use; None: all numbers of threads are tried.
        engines: Files of `bundle/engines` that may run it; None: all that are here.
        seed: Of every random choice.
        where: The short lessons are taught there, at the same time, each planned for one processor; None:
            here, one after the other, with all of them. Another call may go on elsewhere: a lesson that was
            begun keeps its plan.
    """

    budget: Budget
    train: bool = True
    threads: int | None = None
    engines: tuple[str, ...] | None = None
    seed: int = 0
    where: Where | None = None


def optimize(
    model: str | Path,
    data: str | Path | Sequence[str | Path] | None = None,
    *,
    terms: Terms,
    out: Path | None = None,
    force: bool = False,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Search, or go on where the same call was stopped; write the recommended bundle and a report.

    Args:
        model: A run folder with a finished training; or a bundle, or another folder that holds one: then
            nothing is trained, and agreement with the original is what counts. Of pictures or of clips.
        data: The data of the run, wherever they are now; None: where the run found them. With a bundle
            pictures, or films, whose labels are not looked at: files, folders, archives, or one data set.
        terms: How to search.
        out: Folder to write; None: `runs/optimize-<name of the run or bundle>`.
        force: Begin anew where a search lies.
        progress: Told about every stage.

    Returns:
        The `foveal.optimize/1` document, which is also in `optimize.json`.

    Raises:
        NotFoundError: No finished run, no bundle, or no data there.
        DataError: The data are not those of the run, or the pictures are too few (`too_few_pictures`).
        BundleError: The bundle is not to be trusted.
        UsageError: The folder was begun with other options (`other_search`), on another machine or with
            other engines (`other_environment`), or a bundle has no pictures (`no_pictures`).
        TemporaryError: Another process searches there.
        WriteError: The folder cannot be written, holds something else, or lies in the data.
    """
    started, ways_here = time.monotonic(), _ways(terms)
    material = _material(model, data, seed=terms.seed, progress=progress)
    _check_task(material, terms)
    terms = replace(terms, train=terms.train and material.trains)
    out = out or runs.ROOT / f"optimize-{material.name}"
    runs.keep_apart(out, *material.only_read)
    runs.claim(out, request=REQUEST, kind="search")
    with runs.locked(out):
        _begin(out, _request(material, terms), force=force)
        setup = material.setup(out, train=terms.train, seed=terms.seed, progress=progress)
        hands = None if terms.where is None else terms.where.opened
        shop = Workshop(out, material.original, setup.roles, terms.budget, ways=ways_here, progress=progress)
        field, steps = _final_comparison(
            shop, search(shop, setup.learning, network=setup.network, hands=hands)
        )
        outcome, roof = decide(field, terms.budget), _roof(shop)
        files.remove(out / DOCUMENT)  # it is written last, and says that the bundle is there
        delivery = delivered(shop, outcome, setup, name=material.original.stem)
        named = levers_of(shop, outcome, model=str(model), is_run=material.trains, train=terms.train)
        document = optimize_document(shop, outcome, delivery, effects=steps, roof=roof, pulled=named)
        document["seconds"] = round(time.monotonic() - started, 2)
        document["model"] = str(model)
        document["report"] = str(out / REPORT)
        files.write_text(out / REPORT, optimized_page(document))
        files.write_json(out / DOCUMENT, document)
        files.remove(out / STORE)
        if document["bundle"] is not None:  # else what is marked there is still the last one to use
            runs.mark_last(out)
    return document


def _material(
    model: str | Path, data: str | Path | Sequence[str | Path] | None, *, seed: int, progress: Progress
) -> Material:
    """Return what was named: a folder with a recipe is a run, everything else has to be or hold a bundle."""
    named = [] if data is None else [data] if isinstance(data, str | Path) else list(data)
    run = runs.find(model)
    if not files.is_there(run / RECIPE):
        return OfBundle.find(model, named, seed=seed, progress=progress)
    if len(named) > 1:
        raise UsageError(
            f"a run has one set of data; got {len(named)} names",
            hint="other pictures are for its bundle: name the .foveal file",
        )
    return OfRun.find(run, named[0] if named else None)


def _check_task(material: Material, terms: Terms) -> None:
    """Refuse what is not done with a file that says where something is.

    Raises:
        UsageError: `other_task`: it comes without its run, so nothing is stated on its pictures; or lessons
            are to be given elsewhere; or it looks for defects.
    """
    task = archive.read(material.original).manifest.task
    if task not in SCENE_TASKS:
        return
    measure_for([task])
    if isinstance(material, OfBundle):
        raise UsageError(
            f"a recognizer for {task} is made smaller by what is stated on pictures; a bundle comes without",
            code="other_task",
            hint="name the folder of its training: foveal optimize RUN DATA",
        )
    if terms.where is not None:
        raise UsageError(
            f"a recognizer for {task} gets no lessons elsewhere",
            code="other_task",
            hint="leave --backend and --workers out",
        )


def _request(material: Material, terms: Terms) -> dict[str, Any]:
    """Return what the line asks for, of which bundle and pictures, and where.

    Times that were measured elsewhere are no times of this machine, and by them was chosen what is taught: so
    a search stays on the machine that it was begun on. Lessons end in other digits with another torch.
    """
    here = remembered.here()
    asked = asdict(replace(terms, where=None))  # no lesson that was begun is planned anew elsewhere
    del asked["where"]
    return {
        "digest": archive.read(material.original).manifest.digest,
        **material.asked,
        "terms": {**asked, "engines": None if terms.engines is None else list(terms.engines)},
        "foveal": foveal.__version__,
        "machine": here["machine"],
        "versions": {**here["versions"], **machine.versions("torch")},
    }


def _begin(out: Path, request: dict[str, Any], *, force: bool) -> None:
    """Write down what is asked; refuse to go on with what was asked otherwise.

    A search that has finished no step has made no bundle: another line begins in its place, and bundles stay.
    """
    path = out / REQUEST
    for half in list(files.left_over(out)):
        files.remove(half)
    if path.is_file() and not force:
        before = files.read_json(path, lambda found: {**found}, hint="--force begins anew in this folder")
        if before == request:
            return
        # Of another kind of work, or more than begun.
        if "terms" not in before or (out / STEPS).is_file():
            raise _refusal(out, before, request)
    for pattern in _OURS if force else _BEGUN:
        for entry in out.glob(pattern):
            files.remove(entry)
    files.write_json(path, request)


def _refusal(out: Path, before: dict[str, Any], now: dict[str, Any]) -> UsageError:
    """Return why a folder that was begun with one request does not go on with another one."""
    changed = _changed(before, now)
    if changed:
        return UsageError(
            f"{out} holds a search that was begun with other {' and '.join(changed)}",
            code="other_search",
            hint="--force begins anew in this folder; another --out keeps both",
            path=out,
        )
    here = [
        f"{name} {before.get(place, {}).get(name)!r} (here {value!r})"
        for place in ("machine", "versions")
        for name, value in now[place].items()
        if before.get(place, {}).get(name) != value
    ]
    return UsageError(
        f"{out} holds a search that was begun with {', '.join(here)}: its times do not hold here",
        code="other_environment",
        hint="go on where it was begun; or --force begins anew in this folder, another --out keeps both",
        path=out,
    )


def _changed(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Return what was asked otherwise in two requests, in words."""
    old, new = before.get("terms", {}), now["terms"]
    told = {"digest": "weights", "pictures": "pictures", "foveal": "versions of foveal"}
    changed = [words for key, words in told.items() if before.get(key) != now.get(key)]
    return changed + [f"{name}" for name in new if old.get(name) != new[name]]


def _ways(terms: Terms) -> list[Way]:
    """Return every way to run a file here that the terms allow."""
    counts = usual_threads() if terms.threads is None else (terms.threads,)
    return [
        Way(engine, precision, count)
        for engine, known in ways.here(terms.engines).items()
        for precision in known
        for count in counts
    ]


def _final_comparison(shop: Workshop, variants: list[Variant]) -> tuple[Field, list[Effect]]:
    """Time all variants once more, each in its best way, in the same rounds: only so can two be compared.

    Return them beside each other, and each beside what it was made from.
    """
    path = shop.folder / _TIMING
    seconds = min(_FINAL_SECONDS, _FINAL_SHARE * shop.budget.seconds)
    before = made_from([variant.steps for variant in variants])

    def work() -> list[str]:
        files_and_ways = [(shop.path(variant), [variant.speed.way]) for variant in variants]
        shown = shop.chosen_on([path for path, _ in files_and_ways])
        rows = timed(files_and_ways, shown, seconds=seconds, progress=shop.progress)
        found = [row for [row] in rows]
        document = {
            "speeds": [asdict(speed(row, found[0])) for row in found],
            "faster": really_faster(found).tolist(),
            "steps": [asdict(ratio(row, found[place])) for row, place in zip(found[1:], before, strict=True)],
        }
        files.write_json(path, document)
        return [path.name]

    names = [variant.name for variant in variants]
    shop.carry_out("timing", {"variants": names, "before": [names[place] for place in before]}, work)
    document = files.read_json(path, lambda found: {**found}, hint="--force begins anew in this folder")
    speeds = [Speed(**found) for found in document["speeds"]]
    timed_variants = [replace(v, speed=s) for v, s in zip(variants, speeds, strict=True)]
    timed_variants = _predictions_rescaled(shop, variants, timed_variants)
    field = Field(timed_variants, shop.roles.pictures, np.array(document["faster"], dtype=np.bool_))
    return field, effects(field, [Ratio(**found) for found in document["steps"]])


def _predictions_rescaled(shop: Workshop, before: list[Variant], now: list[Variant]) -> list[Variant]:
    """Return the variants with their predicted times in terms of the last timing.

    These were predicted as a share of the time of the original in float or in integers, and the clock of a
    shared machine may be another one now.
    """
    drift = {
        one.name: after.speed.p50 / (one.speed.ratio * before[0].speed.p50)
        for one, after in zip(before, now, strict=True)
    }

    def share(variant: Variant) -> float:
        in_float = shop.read(shop.path(variant)).manifest.model.precision == "fp32"
        return drift.get("original-engine" if in_float else "original-int8", drift["original"])

    return [v if v.predicted is None else replace(v, predicted=v.predicted * share(v)) for v in now]


def _roof(shop: Workshop) -> Roofline | None:
    """Return what this machine can do at most, measured once a search; None in a short one."""
    path = shop.folder / _ROOF
    if shop.budget.seconds < _LEAST_FOR_ROOF:
        return None

    def work() -> list[str]:
        shop.progress("limits of this machine", 0, 1)
        files.write_json(path, asdict(roofline.roofline()))
        return [path.name]

    shop.carry_out("roofline", {}, work)
    return files.read_json(path, roofline.read, hint="--force begins anew in this folder")

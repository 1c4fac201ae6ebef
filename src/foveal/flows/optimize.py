"""`foveal optimize`: the smallest, fastest recognizer that still keeps the user's limits, measured here."""

import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import foveal
from foveal.bundle import archive, remembered, roofline, ways
from foveal.bundle.archive import SUFFIX
from foveal.bundle.locate import locate
from foveal.bundle.predictor import Predictor
from foveal.bundle.roofline import Roofline
from foveal.bundle.ways import Way
from foveal.core import files, machine, runs
from foveal.core.errors import DataError, UsageError, WriteError
from foveal.core.progress import Progress, silent
from foveal.core.types import Gate
from foveal.core.wording import counted
from foveal.data import opening
from foveal.evaluate.held_out import HeldOut
from foveal.evaluate.reporting import report
from foveal.flows._finished_run import data_of, prepared_again
from foveal.flows._optimize_document import Delivery, optimize_document
from foveal.flows._prepare import FINDINGS, SPLIT, STORE, Prepared
from foveal.flows.bench import usual_threads
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.optimize.budget import Budget
from foveal.optimize.decision import Field, Outcome, decide
from foveal.optimize.effects import Effect, effects, made_from
from foveal.optimize.lessons import Learning
from foveal.optimize.measuring import answers, ratio, really_faster, speed, timed
from foveal.optimize.search import search
from foveal.optimize.variant import Pictures, Ratio, Speed, Variant
from foveal.optimize.workshop import FILES as WORKSHOP_FILES
from foveal.optimize.workshop import Roles, Workshop
from foveal.report.optimized_page import optimized_page
from foveal.tasks import recognizer as recognizers
from foveal.tasks.recognizer import Recognizer
from foveal.train.plan import Plan, read_plan
from foveal.train.sampling import deal

REQUEST, DOCUMENT, REPORT = "request.json", "optimize.json", "report.html"
_TIMING, _TEST, _ROOF = "timing.json", "test.json", "roofline.json"
# What a search writes besides its request: --force removes this and nothing else.
_OURS = (*WORKSHOP_FILES, _TIMING, _TEST, _ROOF, DOCUMENT, REPORT, SPLIT, FINDINGS, STORE, f"*{SUFFIX}")
_FEWEST_UNITS = 4  # of calib
_FINAL_SECONDS, _FINAL_SHARE = 12.0, 0.03  # of timing all variants in the same rounds; of the budget at most
_LEAST_FOR_ROOF = 300.0  # seconds of a search; this machine's limits take four more
_CAREFUL_BATCH = 128


@dataclass(frozen=True)
class Terms:
    """How to search.

    Attributes:
        budget: The limits.
        train: Whether networks may be trained.
        threads: That one answer may use; None: all numbers of threads are tried.
        engines: Files of `bundle/engines` that may run it; None: all that are here.
        seed: Of every random choice.
    """

    budget: Budget
    train: bool = True
    threads: int | None = None
    engines: tuple[str, ...] | None = None
    seed: int = 0


def optimize(
    model: str | Path,
    data: str | Path | None = None,
    *,
    terms: Terms,
    out: Path | None = None,
    force: bool = False,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Search, or go on where the same call was stopped; write the recommended bundle and a report.

    Args:
        model: A run folder with a finished training.
        data: The data of the run, wherever they are now; None: where the run found them.
        terms: How to search.
        out: Folder to write; None: `runs/optimize-<name of the run>`.
        force: Begin anew where a search lies.
        progress: Told about every stage.

    Returns:
        The `foveal.optimize/1` document, which is also in `optimize.json`.

    Raises:
        NotFoundError: No finished run, or no data there.
        DataError: The data are not those of the run.
        UsageError: The folder was begun with other options (`other_search`).
        TemporaryError: Another process searches there.
        WriteError: The folder cannot be written, holds something else, or lies in the data.
    """
    started = time.monotonic()
    run = runs.find(model)
    original = locate(run).resolve()
    place = data_of(run, data, again=f"foveal optimize {run} DATA")
    out = out or runs.ROOT / f"optimize-{run.resolve().name}"
    runs.keep_apart(out, *opening.places(place))
    runs.claim(out, request=REQUEST, kind="search")
    with runs.locked(out):
        _begin(out, _request(original, terms), force=force)
        recognizer = recognizers.load(run / "model")
        threads = terms.threads or machine.usable_cpus()
        prepared = prepared_again(run, place, recognizer, out, threads=threads, progress=progress)
        roles = _roles(prepared, seed=terms.seed)
        shop = Workshop(out, original, roles, terms.budget, ways=_ways(terms), progress=progress)
        learning = _learning(run, recognizer, terms) if terms.train else None
        field, steps = _side_by_side(shop, search(shop, learning))
        outcome, roof = decide(field, terms.budget), _roof(shop)
        delivery = _delivered(shop, outcome, prepared, name=original.stem)
        document = optimize_document(shop, outcome, delivery, effects=steps, roof=roof)
        document["seconds"] = round(time.monotonic() - started, 2)
        document["model"] = str(model)
        document["report"] = str(out / REPORT)
        files.write_text(out / REPORT, optimized_page(document))
        files.write_json(out / DOCUMENT, document)
        files.remove(out / STORE)
        if document["bundle"] is not None:  # else what is marked there is still the last one to use
            runs.mark_last(out)
    return document


def _request(original: Path, terms: Terms) -> dict[str, Any]:
    """Return what the line asks for, of which bundle."""
    return {
        "digest": archive.read(original).manifest.digest,
        "terms": {**asdict(terms), "engines": None if terms.engines is None else list(terms.engines)},
        "foveal": foveal.__version__,
    }


def _begin(out: Path, request: dict[str, Any], *, force: bool) -> None:
    """Write down what is asked; refuse to go on with what was asked otherwise."""
    path = out / REQUEST
    if path.is_file() and not force:
        before = files.read_json(path, lambda found: {**found}, hint="--force begins anew in this folder")
        if before == request:
            return
        raise UsageError(
            f"{out} holds a search that was begun with other {' and '.join(_changed(before, request))}",
            code="other_search",
            hint="--force begins anew in this folder; another --out keeps both",
            path=out,
        )
    for pattern in _OURS:
        for entry in out.glob(pattern):
            files.remove(entry)
    files.write_json(path, request)


def _changed(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Return what differs between two requests, in words."""
    old, new = before.get("terms", {}), now["terms"]
    told = {"digest": "weights of the run", "foveal": "versions of foveal"}
    changed = [words for key, words in told.items() if before.get(key) != now[key]]
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


def _roles(prepared: Prepared, *, seed: int) -> Roles:
    """Divide the calib pictures: one half chooses, the other half calibrates what was chosen.

    The test part is looked at once, at the end. See docs/decisions/0021-optimize.md.
    """
    calib = prepared.examples("calib")
    units = prepared.split.units[calib.indices]
    if len(np.unique(units)) < _FEWEST_UNITS:
        raise DataError(
            f"calib has {counted(len(np.unique(units)), 'picture')} that stand alone: too few to choose by "
            "one half and to calibrate on the other",
            code="too_few_calib",
            hint="train with more pictures in val, or with fewer that belong together",
            path=prepared.dataset.path,
        )
    half = deal(calib.labels[calib.indices], units, folds=2, seed=seed)
    choosing, calibrating = calib.indices[half == 0], calib.indices[half == 1]
    pictures = Pictures.of(
        calib.labels[choosing], labelled=True, units=prepared.split.units[choosing], seed=seed
    )
    return Roles(
        chosen_on=np.asarray(calib.images[choosing]),
        pictures=pictures,
        calibrating=replace(calib, indices=calibrating),
        learning=prepared.examples("fit"),
    )


def _learning(run: Path, teacher: Recognizer, terms: Terms) -> Learning:
    """Return how students are taught: as their teacher was."""
    plan = read_plan(run / "plan.json")
    if not isinstance(plan, Plan):
        return Learning(teacher, {}, _CAREFUL_BATCH, "fp32", terms.seed)
    return Learning(teacher, plan.augmentation, plan.batch_size, plan.precision, terms.seed)


def _side_by_side(shop: Workshop, variants: list[Variant]) -> tuple[Field, list[Effect]]:
    """Time all variants once more, each in its best way, in the same rounds: only so can two be compared.

    Return them beside each other, and each beside what it was made from.
    """
    path = shop.folder / _TIMING
    seconds = min(_FINAL_SECONDS, _FINAL_SHARE * shop.budget.seconds)
    before = made_from([variant.steps for variant in variants])

    def work() -> list[str]:
        files_and_ways = [(shop.path(variant), [variant.speed.way]) for variant in variants]
        rows = timed(files_and_ways, shop.roles.chosen_on, seconds=seconds, progress=shop.progress)
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
    # What was foreseen is a share of the original's time, whose clock may be another one now.
    drift = speeds[0].p50 / variants[0].speed.p50
    timed_variants = [
        replace(v, speed=s, predicted=None if v.predicted is None else v.predicted * drift)
        for v, s in zip(variants, speeds, strict=True)
    ]
    field = Field(timed_variants, shop.roles.pictures, np.array(document["faster"], dtype=np.bool_))
    return field, effects(field, [Ratio(**found) for found in document["steps"]])


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


def _delivered(shop: Workshop, outcome: Outcome, prepared: Prepared, *, name: str) -> Delivery:
    """Prove what is recommended on the test part, and copy it where it is proven."""
    bundle = shop.folder / f"{name}{SUFFIX}"
    files.remove(bundle)  # of an earlier end of this search
    rows = {row.variant.name: row.variant for row in outcome.rows}
    if outcome.recommended is None:
        return Delivery()
    chosen = rows[outcome.recommended]
    proven = _proven(chosen, rows["original"], prepared, shop)
    gate = _drop_gate(proven, shop.budget)
    if gate.verdict != "pass":
        return Delivery(proven=proven, gates=[gate])
    files.write_bytes(bundle, shop.path(chosen).read_bytes())
    archive.attach_report(bundle, proven["report"])
    # What bench found for the original stays as it is where nothing else is recommended.
    warnings = [] if chosen is rows["original"] else _remembered(bundle, chosen)
    return Delivery(bundle, proven, [gate], warnings)


def _remembered(bundle: Path, chosen: Variant) -> list[str]:
    """Let this machine run the bundle as it was measured; return what is to be said where that cannot be."""
    try:
        remembered.remember(archive.read(bundle).manifest.digest, chosen.ways)
    except WriteError as error:
        return [f"the fastest way to run it was not remembered: {error.message}"]
    return []


def _proven(chosen: Variant, original: Variant, prepared: Prepared, shop: Workshop) -> dict[str, Any]:
    """Measure what is recommended on the test part, once, and compare it with the original."""
    path = shop.folder / _TEST

    def work() -> list[str]:
        files.write_json(path, _measured_on_test(chosen, original, prepared, shop))
        return [path.name]

    shop.carry_out("test", {"digest": shop.digest(shop.path(chosen)), "way": asdict(chosen.speed.way)}, work)
    return files.read_json(path, lambda found: {**found}, hint="--force begins anew in this folder")


def _measured_on_test(
    chosen: Variant, original: Variant, prepared: Prepared, shop: Workshop
) -> dict[str, Any]:
    split, store = prepared.split, prepared.store
    held_out = HeldOut.of_images(store.images, store.labels, prepared.dataset.sources, split.test)
    units = split.units[split.test]
    held_out = replace(held_out, fingerprint=split.fingerprint, split_seed=split.seed, units=units)
    way = chosen.speed.way
    predictor = Predictor.open(shop.path(chosen), engine=way.engine, precision=way.precision, threads=1)
    found = report(predictor, held_out, seed=split.seed, threads=shop.threads, progress=shop.progress)
    found = replace(found, provenance={**found.provenance, "images_per_second": None})
    images, truth = np.asarray(store.images[split.test]), store.labels[split.test]
    before = answers(shop.original, original.speed.way, images)
    after = answers(shop.path(chosen), way, images)
    pictures = Pictures.of(truth, labelled=True, units=units, seed=split.seed)
    return {
        "images": len(truth),
        "accuracy": found.metrics.accuracy.as_json(),
        "original_accuracy": clopper_pearson(int((before == truth).sum()), len(truth)).as_json(),
        "drop": pictures.drop(before, after).as_json(),
        "agreement": float((before == after).mean()),
        "report": found.without_names().as_json(),
    }


def _drop_gate(proven: dict[str, Any], budget: Budget) -> Gate:
    lost = proven["drop"]["value"]
    return Gate(
        id="drop",
        name="accuracy lost on the test pictures",
        verdict="pass" if lost <= budget.drop else "fail",
        value=lost,
        limit=budget.drop,
    )

"""`foveal optimize`: the smallest, fastest recognizer that still keeps the user's limits, measured here."""

import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import foveal
from foveal.bundle import archive, remembered, ways
from foveal.bundle.archive import SUFFIX
from foveal.bundle.locate import locate
from foveal.bundle.predictor import Predictor
from foveal.bundle.ways import Way
from foveal.core import files, machine, runs
from foveal.core.errors import UsageError
from foveal.core.progress import Progress, silent
from foveal.core.types import Gate
from foveal.data import opening
from foveal.evaluate.held_out import HeldOut
from foveal.evaluate.reporting import report
from foveal.flows._finished_run import data_of, prepared_again
from foveal.flows._optimize_document import optimize_document
from foveal.flows._prepare import FINDINGS, SPLIT, STORE, Prepared
from foveal.flows.bench import usual_threads
from foveal.optimize.budget import Budget
from foveal.optimize.decision import Outcome, decide
from foveal.optimize.measuring import answers, speeds
from foveal.optimize.search import Learning, search
from foveal.optimize.variant import Pictures, Variant
from foveal.optimize.workshop import FILES as WORKSHOP_FILES
from foveal.optimize.workshop import Roles, Workshop
from foveal.report.optimized_page import optimized_page
from foveal.tasks import recognizer as recognizers
from foveal.tasks.recognizer import Recognizer
from foveal.train.plan import Plan, read_plan
from foveal.train.sampling import deal

REQUEST, DOCUMENT, REPORT = "request.json", "optimize.json", "report.html"
# What a search writes besides its request: --force removes this and nothing else.
_OURS = (*WORKSHOP_FILES, DOCUMENT, REPORT, SPLIT, FINDINGS, STORE, f"*{SUFFIX}")
_FINAL_SECONDS = 12.0  # of timing all that is worth showing, in the same rounds
_TIMED = 64
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
        variants = search(shop, learning)
        variants = _timed_together(shop, variants)
        outcome = decide(variants, roles.pictures, terms.budget)
        document = _delivered(shop, outcome, prepared, original, name=original.stem)
        document["seconds"] = round(time.monotonic() - started, 2)
        document["model"] = str(model)
        document["report"] = str(out / REPORT)
        files.write_text(out / REPORT, optimized_page(document))
        files.write_json(out / DOCUMENT, document)
        files.remove(out / STORE)
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
            f"{out} holds a search with other limits or of another bundle",
            code="other_search",
            hint="--force begins anew in this folder; another --out keeps both",
            path=out,
        )
    for pattern in _OURS:
        for entry in out.glob(pattern):
            files.remove(entry)
    files.write_json(path, request)


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


def _timed_together(shop: Workshop, variants: list[Variant]) -> list[Variant]:
    """Time all variants once more, in the same rounds: only so can two of them be compared."""
    paths = [shop.folder / variant.bundle for variant in variants]
    found = speeds(
        shop.original,
        paths,
        shop.ways,
        shop.roles.chosen_on[:_TIMED],
        seconds=_FINAL_SECONDS,
        progress=shop.progress,
    )
    # The original is listed as it was: in ONNX Runtime. Run in its fastest way it is a variant of its own.
    first = replace(variants[0], speed=found[0])
    engine = replace(variants[0], name="original-engine", steps=("engine",), speed=found[1])
    rest = [replace(v, speed=s) for v, s in zip(variants[1:], found[2:], strict=True)]
    return [first, engine, *rest] if engine.speed.engine != first.speed.engine else [first, *rest]


def _delivered(
    shop: Workshop, outcome: Outcome, prepared: Prepared, original: Path, *, name: str
) -> dict[str, Any]:
    """Copy what is recommended, prove it on the test part, and return the document."""
    rows = {row.variant.name: row for row in outcome.rows}
    gates, proven, bundle = [], None, None
    if outcome.recommended is not None:
        row = rows[outcome.recommended]
        bundle = shop.folder / f"{name}{SUFFIX}"
        files.write_bytes(bundle, (shop.folder / row.variant.bundle).read_bytes())
        proven = _proven(bundle, original, prepared, shop)
        gates = [_drop_gate(proven, shop.budget)]
        speed = row.variant.speed
        remembered.remember(
            archive.read(bundle).manifest.digest, [Way(speed.engine, speed.precision, speed.threads)]
        )
    return optimize_document(shop, outcome, bundle=bundle, proven=proven, gates=gates)


def _proven(bundle: Path, original: Path, prepared: Prepared, shop: Workshop) -> dict[str, Any]:
    """Measure the recommended file on the test part, attach the report, and compare it with the original."""
    split, store = prepared.split, prepared.store
    held_out = HeldOut.of_images(store.images, store.labels, prepared.dataset.sources, split.test)
    units = split.units[split.test]
    held_out = replace(held_out, fingerprint=split.fingerprint, split_seed=split.seed, units=units)
    predictor = Predictor.open(bundle, engine=ways.REFERENCE, precision="fp32", threads=1)
    found = report(predictor, held_out, seed=split.seed, threads=shop.threads, progress=shop.progress)
    found = replace(found, provenance={**found.provenance, "images_per_second": None})
    archive.attach_report(bundle, found.without_names().as_json())
    images = np.asarray(store.images[split.test])
    before = answers(original, images, threads=shop.threads)
    after = answers(bundle, images, threads=shop.threads)
    truth = store.labels[split.test]
    pictures = Pictures.of(truth, labelled=True, units=units, seed=split.seed)
    return {
        "images": len(truth),
        "accuracy": pictures.accuracy(after).as_json(),
        "original_accuracy": pictures.accuracy(before).as_json(),
        "drop": pictures.drop(before, after).as_json(),
        "agreement": _agreement(before, after),
    }


def _agreement(before: NDArray[np.int64], after: NDArray[np.int64]) -> float:
    return float((before == after).mean())


def _drop_gate(proven: dict[str, Any], budget: Budget) -> Gate:
    lost = proven["drop"]["value"]
    return Gate(
        id="drop",
        name="accuracy lost on the test pictures",
        verdict="pass" if lost <= budget.drop else "fail",
        value=lost,
        limit=budget.drop,
    )

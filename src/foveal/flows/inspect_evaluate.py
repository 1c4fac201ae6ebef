"""What an inspection is worth on parts that it has not seen: how well it finds, and what it decides."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.locate import locate
from foveal.bundle.predictor import Predictor
from foveal.calibrate.inspection.outcome import outcome
from foveal.calibrate.objects import found_of, truth_of
from foveal.core import machine
from foveal.core.errors import UsageError
from foveal.core.progress import Progress, silent
from foveal.core.task import OBJECT_TASKS
from foveal.core.types import Measured
from foveal.data.dataset import Dataset
from foveal.data.good import as_known
from foveal.data.inventory import content_hashes
from foveal.data.truths import stated
from foveal.evaluate.defects import false_calls
from foveal.evaluate.document import Report
from foveal.evaluate.pairs import measure_pairs
from foveal.evaluate.scene_document import SceneReport
from foveal.flows._grouped import grouped, told_good
from foveal.flows._held_out import Picked, pick
from foveal.flows._judged_parts import NO_RULE, JudgedPart, judged_parts
from foveal.flows._sealed import Sealed
from foveal.flows.evaluate import evaluate
from foveal.metrics.clustered_auroc import clustered_auroc
from foveal.metrics.clustered_share import clustered_share
from foveal.metrics.independent_number import independent_number
from foveal.monitor.people import compared
from foveal.tasks.detect.decode import checked
from foveal.tasks.judging import VERDICTS, Costs, Inspection

SCHEMA = "foveal.inspect-evaluate/1"
_TOLD = ("image_auroc", "miou", "false_call_at_99_recall")  # of the document of `evaluate`, where it has them


@dataclass(frozen=True)
class People:
    """What is stated of people who inspect the same parts.

    Attributes:
        miss: Share of defective parts that they pass; None: not stated.
        false_call: Share of good parts that they reject; None: not stated.
        parts: How many parts each of both rests on; None: they are taken as known.
    """

    miss: float | None = None
    false_call: float | None = None
    parts: int | None = None


@dataclass(frozen=True)
class Question:
    """What is asked beside how well defects are found.

    Attributes:
        costs: Of decisions; None: those of the rule.
        defect_rate: Share of parts that are defective where it will run; None: as among these parts.
        people: Whom it is compared with.
        group: What must not be torn apart; None: as the run was told.
    """

    costs: Costs | None = None
    defect_rate: float | None = None
    people: People = People()
    group: str | None = None


@dataclass(frozen=True)
class EvaluatedInspection:
    """What an inspection is worth.

    Attributes:
        document: The `foveal.inspect-evaluate/1` document.
        report: What `foveal evaluate` says of the same parts; None where it has nothing to measure.
    """

    document: dict[str, Any]
    report: Report | SceneReport | None


def inspect_evaluate(  # noqa: PLR0913 - as `flows.evaluate.evaluate`
    model: str | Path,
    data: str | Path | Dataset,
    *,
    split: str | None = None,
    seed: int = 0,
    question: Question | None = None,
    threads: int | None = None,
    progress: Progress = silent,
) -> EvaluatedInspection:
    """Return what an inspection is worth on parts that it has not seen.

    Args:
        model: A bundle, or a run folder that holds one.
        data: Parts whose truth is known: pairs or pictures with boxes, data about defects, or classes.
        split: Part of the data; None: the test part of training data, and all of other data.
        seed: For resampled intervals.
        question: What else is asked.
        threads: Parts at once; None takes all processors we may use.
        progress: Told about the parts.

    Raises:
        NotFoundError, BundleError, DataError, UsageError: As `flows.evaluate.evaluate`.
    """
    question, threads = question or Question(), threads or machine.usable_cpus()
    bundle = locate(model)
    predictor = Predictor.open(bundle, threads=1)
    rule = predictor.manifest.inspection
    dataset = _opened(data, bundle, predictor, rule, question.group)
    picked = pick(
        dataset,
        content_hashes(dataset, progress=progress),
        Sealed.at(bundle, predictor.manifest),
        split=split,
        progress=progress,
    )
    parts = judged_parts(
        predictor, picked.dataset, picked.indices, rule or NO_RULE, threads=threads, progress=progress
    )
    report = _report(predictor, bundle, picked, parts, split=split, seed=seed, progress=progress)
    found = _scored(parts, picked, seed)
    if predictor.manifest.task in OBJECT_TASKS:
        found |= _paired(predictor, picked, parts, seed)
    elif report is not None:
        found |= report.as_json()["metrics"]
    told = {name: found.get(name) for name in ("map33", "f1", *_TOLD)}
    document = {
        "schema": SCHEMA,
        "ok": True,
        "bundle": str(bundle),
        "digest": predictor.digest,
        "task": predictor.manifest.task,
        "split": picked.split,
        "parts": len(parts),
        "defective": sum(part.defective for part in parts),
        "unseen": picked.unseen,
        **told,
        **_decided(parts, rule, question, picked.units[picked.indices]),
        "metrics": found,
        "rule": None if rule is None else rule.model_dump(mode="json"),
        "faults": _faults(picked, parts),
    }
    return EvaluatedInspection(document, report)


def _opened(
    data: str | Path | Dataset,
    bundle: Path,
    predictor: Predictor,
    rule: Inspection | None,
    group: str | None,
) -> Dataset:
    manifest = predictor.manifest
    if manifest.task == "classify" and not (rule and rule.good):
        raise UsageError(
            "this classifier does not say which classes are good",
            code="no_inspection",
            hint="foveal inspect train DATA --good CLASS makes one that does",
        )
    if isinstance(data, Dataset):
        return data
    task = None if manifest.task == "classify" else manifest.task
    found = grouped(data, [bundle], manifest.preprocess.clip, group=group, task=task, things=manifest.things)
    return as_known(found, manifest.classes, told_good(bundle)) if manifest.task == "defect" else found


def _report(  # noqa: PLR0913 - as `flows.evaluate.evaluate`, and what was found already
    predictor: Predictor,
    bundle: Path,
    picked: Picked,
    parts: list[JudgedPart],
    *,
    split: str | None,
    seed: int,
    progress: Progress,
) -> Report | SceneReport | None:
    """Return what `foveal evaluate` measures; None of objects where none is on any part."""
    if predictor.manifest.task in OBJECT_TASKS and not any(part.defective for part in parts):
        return None
    return evaluate(bundle, picked.dataset, split=split, seed=seed, progress=progress).report


def _scored(parts: list[JudgedPart], picked: Picked, seed: int) -> dict[str, Any]:
    """Return how well the scores part good and defective ones; of unreadable pictures there is none."""
    seen = [row for row, part in enumerate(parts) if part.judgement.score is not None]
    scores = np.array([parts[row].judgement.score for row in seen], np.float64)
    defective = np.array([parts[row].defective for row in seen], np.bool_)
    units = picked.units[picked.indices][seen]
    if not defective.any() or defective.all():
        return {"image_auroc": None, "false_call_at_99_recall": None}
    calls = false_calls(scores, defective, units)
    return {
        "image_auroc": clustered_auroc(scores, defective, units=units, seed=seed).as_json(),
        "false_call_at_99_recall": None if calls is None else calls.as_json(),
    }


def _paired(predictor: Predictor, picked: Picked, parts: list[JudgedPart], seed: int) -> dict[str, Any]:
    classes = predictor.classes
    of = stated(picked.dataset, predictor.preprocess, classes=classes)
    rows = [(row, part) for row, part in enumerate(parts) if part.answers is not None]
    found = [
        found_of(checked(part.answers, 1, classes=len(classes)))[0]
        for _, part in rows
        if part.answers is not None
    ]
    units = picked.units[picked.indices][[row for row, _ in rows]]
    metrics = measure_pairs(
        found,
        [truth_of(of(part.index)) for _, part in rows],
        predictor.manifest.objects,
        units=units,
        seed=seed,
    )
    return {"map33": None, "f1": None} if metrics is None else metrics.as_json(classes)


def _decided(
    parts: list[JudgedPart], rule: Inspection | None, question: Question, units: NDArray[np.int64]
) -> dict[str, Any]:
    """Return what was done with the parts, and beside people; what belongs together counts as few."""
    verdicts = [part.judgement.verdict for part in parts]
    defective: NDArray[np.bool_] = np.array([part.defective for part in parts], np.bool_)
    few = independent_number(units, len(parts))
    given = {one: np.array([verdict == one for verdict in verdicts]) for one in VERDICTS}
    decisions = {one: clustered_share(mask, few).as_json() for one, mask in given.items()}
    costs = question.costs or (rule.costs if rule else None)
    came = outcome(verdicts, defective, costs=costs, defect_rate=question.defect_rate, units=units)
    return {
        "decisions": decisions,
        "outcome": came.as_json(),
        "people": {
            name: _beside(getattr(came, name), getattr(question.people, name), question.people.parts)
            for name in ("miss", "false_call")
        },
    }


def _beside(machine_: Measured | None, rate: float | None, people: int | None) -> dict[str, Any] | None:
    if machine_ is None or rate is None:
        return None
    return compared(round(machine_.value * machine_.n), machine_.n, rate=rate, people=people).as_json()


def _faults(picked: Picked, parts: list[JudgedPart]) -> dict[str, Any]:
    """Return why parts went to review, but for scores between the thresholds: counts and some pictures."""
    faults: dict[str, list[str]] = {}
    for part in parts:
        for reason in part.judgement.reasons if part.judgement.verdict == "review" else ():
            faults.setdefault(reason, []).append(picked.dataset.sources[part.index])
    return {reason: {"count": len(names), "examples": names[:10]} for reason, names in faults.items()}

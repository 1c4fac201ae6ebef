"""The `foveal.optimize/1` document."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from foveal.bundle import archive
from foveal.bundle.roofline import Roofline, work_of
from foveal.bundle.ways import called
from foveal.core.task import SCENE_TASKS
from foveal.core.types import Gate, Measured
from foveal.flows._machine import describe
from foveal.optimize.decision import Judged, Outcome
from foveal.optimize.effects import Effect
from foveal.optimize.graphs.integers import reads_in_order
from foveal.optimize.levers import Lever, Named, held, levers
from foveal.optimize.screening import without_candidates
from foveal.optimize.verdicts import allowed_words, changed_words, drop_words, unproven_words
from foveal.optimize.workshop import Workshop

SCHEMA = "foveal.optimize/1"
_TIMES = ("latency", "p99")  # limits in seconds, and in the document in milliseconds
_BYTES = ("size", "memory")


@dataclass(frozen=True)
class Delivery:
    """What came of the recommended file.

    Attributes:
        bundle: Its copy, or None where nothing is recommended or it was not proven.
        proven: What was measured of it on the test part.
        gates: Limits that were compared on the test part.
        warnings: What else is to be said.
    """

    bundle: Path | None = None
    proven: dict[str, Any] | None = None
    gates: Sequence[Gate] = ()
    warnings: Sequence[str] = ()


def optimize_document(
    shop: Workshop,
    outcome: Outcome,
    delivery: Delivery,
    *,
    effects: Sequence[Effect],
    roof: Roofline | None,
    pulled: Sequence[Lever],
) -> dict[str, Any]:
    """Return the document of a finished search.

    Args:
        shop: Where it worked.
        outcome: What it came to.
        delivery: What was made of that.
        effects: What each step gained and cost.
        roof: What this machine can do at most, or None where it was not measured.
        pulled: What was tried, and what could not be.
    """
    labelled = shop.roles.pictures.labelled
    passed = all(gate.verdict == "pass" for gate in delivery.gates)
    feasible = outcome.feasible and passed
    bundle, proven = delivery.bundle, delivery.proven
    unproven = _unproven(outcome, delivery, shop)
    original = shop.members.manifest
    return {
        "schema": SCHEMA,
        "ok": feasible,
        "feasible": feasible,
        "recommended": outcome.recommended if passed else None,
        "chosen": outcome.recommended,
        "verdict": _verdict(outcome, delivery, shop, unproven),
        "unproven": list(unproven),
        "nearest": dict(_in_its_unit(limit, value) for limit, value in outcome.nearest.items()),
        "bundle": None if bundle is None else str(bundle),
        "digest": None if bundle is None else archive.read(bundle).manifest.digest,
        "run": str(shop.folder),
        "original": {
            "digest": original.digest,
            "precision": original.model.precision,
            "steps": list(original.model.steps),
            "origin": original.model.origin,
        },
        "levers": [lever.as_json() for lever in pulled],
        "without_candidates": without_candidates(shop),
        "limits": shop.budget.as_json(),
        "measure": shop.roles.pictures.measure,
        "labels": labelled,
        "chosen_on": {
            "images": shop.roles.pictures.images,
            "independent": int(shop.roles.pictures.independent),
            "role": "half of calib" if labelled else "pictures that nothing else was done with",
        },
        "test": None if proven is None else {k: v for k, v in proven.items() if k != "report"},
        "gates": [asdict(gate) for gate in delivery.gates],
        "variants": [_row(row, shop, outcome, roof, passed=passed) for row in outcome.rows],
        "pareto": [row.variant.name for row in outcome.rows if row.pareto],
        "effects": [effect.as_json() for effect in effects],
        "failed": shop.failures(),
        "roofline": None if roof is None else roof.as_json(),
        "warnings": list(delivery.warnings),
        "machine": describe().as_json(),
    }


def _in_its_unit(limit: str, value: float) -> tuple[str, float]:
    """Return the best value of a limit under the name that the limit has in `limits`."""
    if limit in _TIMES:
        return f"{limit}_ms", value * 1e3
    return (f"{limit}_bytes", value) if limit in _BYTES else (limit, value)


def levers_of(
    shop: Workshop, outcome: Outcome, *, model: str, is_run: bool, train: bool
) -> tuple[Lever, ...]:
    """Return what was tried, and what the file to be replaced did not allow.

    Args:
        shop: Where the search worked.
        outcome: What it came to.
        model: What the line names.
        is_run: Whether that is a run folder.
        train: Whether networks might be trained.
    """
    taught = any("distill" in row.variant.steps for row in outcome.rows)
    bundle = str(Path(model) / shop.original.name) if is_run else model
    named = Named(model, bundle, is_run, learns=shop.members.manifest.task not in SCENE_TASKS)
    return levers(
        shop.members.manifest.model,
        named,
        shop.ways,
        train=train,
        taught=taught,
        in_order=reads_in_order(shop.members.model),
    )


def _unproven(outcome: Outcome, delivery: Delivery, shop: Workshop) -> tuple[str, ...]:
    """Return the limits that what is recommended keeps by the estimate alone; answers by those that prove."""
    row = next((row for row in outcome.rows if row.code == "recommended"), None)
    if row is None:
        return ()
    found = tuple(limit for limit in row.unproven if limit != "drop")
    if delivery.proven is None or row is outcome.rows[0]:
        return found
    drop, most = delivery.proven["drop"], shop.budget.drop
    return (*found, "drop") if drop["value"] <= most < drop["high"] else found


def _verdict(outcome: Outcome, delivery: Delivery, shop: Workshop, unproven: tuple[str, ...]) -> str:
    """Return what the search came to, in one sentence, with what chose and what proved apart."""
    labelled, said = shop.roles.pictures.labelled, outcome.words
    if delivery.proven is None:
        return said
    found = (drop_words if labelled else changed_words)(Measured(**delivery.proven["drop"]))
    where = "the test pictures" if labelled else "pictures that chose nothing"
    told = f"{found}; allowed: {allowed_words(shop.budget.drop, labelled=labelled)}"
    if any(gate.verdict != "pass" for gate in delivery.gates):
        chose = f"{outcome.recommended} keeps the limits on the pictures that chose it"
        return f"not kept: {chose}, but on {where} it does not: {told}"
    if outcome.recommended != outcome.rows[0].variant.name:
        said += f"; on {where}: {told}"
    elif (numbers := held(shop.members.manifest.model)) is not None:
        said += f"; its weights are in {numbers} already, so they were not rounded again"
    return f"{said}; {unproven_words(unproven)}" if unproven else said


def _row(
    row: Judged, shop: Workshop, outcome: Outcome, roof: Roofline | None, *, passed: bool
) -> dict[str, Any]:
    variant, speed = row.variant, row.variant.speed
    sides = shop.read(shop.path(variant)).manifest.preprocess.sides
    return {
        "name": variant.name,
        "steps": list(variant.steps),
        "accuracy": row.accuracy.as_json(),
        "drop": row.drop.as_json(),
        "latency_ms": {
            "p50": speed.p50 * 1e3,
            "p99": speed.p99 * 1e3,
            "p50_low": _ms(speed.low),
            "p50_high": _ms(speed.high),
            "p99_low": _ms(speed.p99_low),
            "p99_high": _ms(speed.p99_high),
        },
        "cpu_ms": {"value": _ms(speed.cpu), "low": _ms(speed.cpu_low), "high": _ms(speed.cpu_high)},
        "time_ratio": {
            "value": speed.ratio,
            "low": speed.ratio_low,
            "high": speed.ratio_high,
            "real": speed.real,
            "n": speed.rounds,
        },
        "engine": speed.engine,
        "precision": speed.precision,
        "threads": speed.threads,
        **_work(row, shop, roof),
        "size_bytes": variant.size_bytes,
        "size_ratio": variant.size_bytes / outcome.rows[0].variant.size_bytes,
        "peak_rss_bytes": variant.peak_bytes,
        "parameters": variant.parameters,
        "macs": variant.macs,
        "input_pixels": max(sides),
        "input_sides": list(sides),
        "predicted_ms": _ms(variant.predicted),
        "outside": list(row.broken),
        "unproven": list(row.unproven),
        "verdict": "; ".join([row.words, *([unproven_words(row.unproven)] if row.unproven else [])]),
        "code": row.code if passed or row.code != "recommended" else "refuted",
        "pareto": row.pareto,
        "seconds": variant.seconds,
    }


def _work(row: Judged, shop: Workshop, roof: Roofline | None) -> dict[str, Any]:
    """Return what an answer moves at least, in which precision, and the least time that it could take."""
    manifest, speed = shop.read(shop.path(row.variant)).manifest, row.variant.speed
    computed = called(manifest.model.precision, speed.precision)
    work = work_of(manifest, precision=computed, batch=1)
    bound = None
    if work is not None and roof is not None:
        bound = roof.bound(work, precision=computed, threads=speed.threads)
    return {
        "computed": computed,
        "moved_bytes": None if work is None else work.moved_bytes,
        "bound_ms": None if bound is None else bound.seconds * 1e3,
        "roofline_share": None if bound is None else bound.seconds / speed.p50,
    }


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1e3

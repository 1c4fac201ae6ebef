"""The `foveal.train/1` document: what a training did, and what the bundle is worth."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from foveal.core import catalog
from foveal.core.types import Gate
from foveal.export.sealing import Exported
from foveal.flows._environment import bit_exact, ranks_of
from foveal.flows._prepare import Prepared
from foveal.models.pretrained._weights import Weights
from foveal.train.fit_plan import FitPlan
from foveal.train.loop import Fitted
from foveal.train.plan import Plan

SCHEMA = "foveal.train/1"
_OVERSHOOT = 0.1  # beyond this share of the budget it is said


def train_document(
    run: Path,
    prepared: Prepared,
    plan: Plan | FitPlan,
    fitted: Fitted,
    exported: Exported,
    evaluation: dict[str, Any] | None,
) -> dict[str, Any]:
    """Return the document but for the clock, see `clock`, and the baseline.

    Args:
        run: The run folder.
        prepared: The data.
        plan: What was decided.
        fitted: How training ended.
        exported: What the export gave.
        evaluation: The `foveal.evaluate/1` document; None where a gate failed.
    """
    gates: list[Gate] = [exported.parity.gate()]
    metrics = evaluation["metrics"] if evaluation else None
    seen = plan.images if isinstance(plan, FitPlan) else plan.steps * plan.batch_size
    return {
        "schema": SCHEMA,
        "ok": all(gate.verdict == "pass" for gate in gates),
        "run": str(run),
        "bundle": None if exported.bundle is None else str(exported.bundle),
        "report": str(run / "report.html"),
        "digest": evaluation["digest"] if evaluation else None,
        "model": catalog.spoken(plan.model),
        "task": prepared.dataset.task,
        "train_seconds": round(fitted.seconds, 2),
        "images_per_second": round(seen / max(fitted.seconds, 1e-9), 1),
        "data_wait_share": round(fitted.waiting_share, 4),
        "epochs": None if isinstance(plan, FitPlan) else round(plan.epochs, 3),
        "resumed_from": fitted.resumed_from,
        "damaged_checkpoints": list(fitted.passed_over),
        "bit_exact": bit_exact(run),
        "ranks": ranks_of(run),
        "metrics": {"test": metrics} if metrics else {},
        "parity": exported.parity.as_json(),
        "gates": [asdict(gate) for gate in gates],
        "unlabelled": prepared.unlabelled,
        "findings": [asdict(finding) for finding in prepared.findings],
        "plan": plan.model_dump(),
    }


def start_document(plan: Plan | FitPlan, weights: Weights | None) -> dict[str, Any] | None:
    """Return what a transfer began from and whether that stayed as it was, or None of one from scratch."""
    if weights is None:
        return None
    frozen = isinstance(plan, FitPlan) or plan.arguments.get("start") == "frozen"
    return {"source": weights.source, "sha256": weights.sha256, "frozen": frozen}


def clock(asked: float | None, used: float) -> dict[str, Any]:
    """Return `seconds`, and how the time budget was kept (`budget`, null where there was none).

    Args:
        asked: The budget in seconds.
        used: Time since the command started, in seconds.
    """
    budget = None
    if asked is not None:
        share = used / asked - 1
        budget = {"seconds": asked, "overshoot_share": round(max(0.0, share), 4), "kept": share <= _OVERSHOOT}
    return {"seconds": round(used, 2), "budget": budget}

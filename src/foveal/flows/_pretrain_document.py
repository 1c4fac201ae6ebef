"""The `foveal.pretrain/1` document: what was learned without labels, and what it is worth."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from foveal.core import catalog
from foveal.core.types import Gate, Measured
from foveal.flows._environment import bit_exact
from foveal.flows._pretrain_data import Gathered
from foveal.train.loop import Fitted
from foveal.train.plan import Plan
from foveal.train.probes import LEAST_RANK, LEAST_SPREAD, Probe

SCHEMA = "foveal.pretrain/1"


def pretrain_document(
    run: Path,
    gathered: Gathered,
    plan: Plan,
    fitted: Fitted,
    *,
    probe: Probe,
    rows: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    """Return the document but for the clock.

    Args:
        run: The run folder.
        gathered: What was learned from.
        plan: What was decided.
        fitted: How training ended.
        probe: Of the averaged weights, which ship.
        rows: Of `probes.jsonl`, the untrained network first.
    """
    gates = _gates(probe)
    pixels = None if gathered.labelled is None else gathered.prober.of_pixels().as_json()
    last = fitted.history[-1]
    return {
        "schema": SCHEMA,
        "ok": all(gate.verdict == "pass" for gate in gates),
        "run": str(run),
        "weights": str(run / "model"),
        "report": str(run / "report.html"),
        "method": plan.objective,
        "model": catalog.spoken(plan.model),
        "pictures": gathered.about,
        "train_seconds": round(fitted.seconds, 2),
        "images_per_second": round(plan.steps * plan.batch_size / max(fitted.seconds, 1e-9), 1),
        "data_wait_share": round(fitted.waiting_share, 4),
        "epochs": round(plan.epochs, 3),
        "loss": last["loss"],
        "pretext_accuracy": last["accuracy"] or None,
        "resumed_from": fitted.resumed_from,
        "damaged_checkpoints": list(fitted.passed_over),
        "bit_exact": bit_exact(run),
        "probe": probe.as_json(),
        "against_before": {key: _against(getattr(probe, key), rows[0][key]) for key in ("knn", "linear")},
        "baseline": {"untrained": {**rows[0]}, "pixels": pixels},
        "probes": list(rows),
        "gates": [asdict(gate) for gate in gates],
        "plan": plan.model_dump(),
    }


def _against(now: Measured | None, before: dict[str, Any] | None) -> str | None:
    """Return whether features are better than those of the network before: as far as intervals are apart."""
    if now is None or before is None:
        return None
    if now.low > before["high"]:
        return "better"
    return "worse" if now.high < before["low"] else "not shown"


def _gates(probe: Probe) -> list[Gate]:
    """Return whether the features tell pictures apart at all."""
    spread, rank = probe.spread >= LEAST_SPREAD, probe.rank >= LEAST_RANK
    return [
        Gate("spread", "features differ", "pass" if spread else "fail", probe.spread, LEAST_SPREAD),
        Gate("rank", "features have directions", "pass" if rank else "fail", probe.rank, LEAST_RANK),
    ]

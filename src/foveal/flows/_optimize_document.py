"""The `foveal.optimize/1` document."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from foveal.bundle import archive
from foveal.core.types import Gate
from foveal.flows._machine import describe
from foveal.optimize.decision import Judged, Outcome
from foveal.optimize.workshop import Workshop

SCHEMA = "foveal.optimize/1"


def optimize_document(
    shop: Workshop,
    outcome: Outcome,
    *,
    bundle: Path | None,
    proven: dict[str, Any] | None,
    gates: Sequence[Gate],
    warnings: Sequence[str],
) -> dict[str, Any]:
    """Return the document of a finished search.

    Args:
        shop: Where it worked.
        outcome: What it came to.
        bundle: The recommended file, or None.
        proven: What was measured of it on pictures that chose nothing.
        gates: Limits that were compared there.
        warnings: What else is to be said.
    """
    original, labelled = outcome.rows[0].variant, shop.roles.pictures.labelled
    passed = all(gate.verdict == "pass" for gate in gates)
    feasible = outcome.feasible and passed
    return {
        "schema": SCHEMA,
        "ok": feasible,
        "feasible": feasible,
        "recommended": outcome.recommended,
        "verdict": outcome.words if passed else _refuted(outcome, gates, labelled=labelled),
        "nearest": outcome.nearest,
        "bundle": None if bundle is None else str(bundle),
        "digest": None if bundle is None else archive.read(bundle).manifest.digest,
        "run": str(shop.folder),
        "limits": shop.budget.as_json(),
        "measure": "accuracy" if labelled else "agreement",
        "labels": labelled,
        "chosen_on": {
            "images": len(shop.roles.pictures.counted),
            "role": "half of calib" if labelled else "pictures that nothing else was done with",
        },
        "test": None if proven is None else {k: v for k, v in proven.items() if k != "report"},
        "gates": [asdict(gate) for gate in gates],
        "variants": [_row(row, original.size_bytes) for row in outcome.rows],
        "pareto": [row.variant.name for row in outcome.rows if row.pareto],
        "failed": shop.failures(),
        "warnings": list(warnings),
        "machine": describe().as_json(),
    }


def _refuted(outcome: Outcome, gates: Sequence[Gate], *, labelled: bool) -> str:
    """Return what is said where the pictures that chose were kinder than those that prove."""
    gate = next(gate for gate in gates if gate.verdict != "pass")
    found, most = 100 * (gate.value or 0), 100 * gate.limit
    told = f"not proven: {outcome.recommended} keeps the limits on the pictures that chose it, but on "
    if labelled:
        return told + f"the test pictures it lost {found:.1f} points; {most:.1f} may be lost"
    return told + f"others {found:.1f} % of its answers are not the original's; {most:.1f} % may change"


def _row(row: Judged, original_bytes: int) -> dict[str, Any]:
    variant, speed = row.variant, row.variant.speed
    return {
        "name": variant.name,
        "steps": list(variant.steps),
        "accuracy": row.accuracy.as_json(),
        "drop": row.drop.as_json(),
        "latency_ms": {
            "p50": speed.p50 * 1e3,
            "p99": speed.p99 * 1e3,
            "p50_low": None if speed.low is None else speed.low * 1e3,
            "p50_high": None if speed.high is None else speed.high * 1e3,
        },
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
        "size_bytes": variant.size_bytes,
        "size_ratio": variant.size_bytes / original_bytes,
        "peak_rss_bytes": variant.peak_bytes,
        "parameters": variant.parameters,
        "macs": variant.macs,
        "predicted_ms": None if variant.predicted is None else variant.predicted * 1e3,
        "outside": list(row.broken),
        "verdict": row.words,
        "code": row.code,
        "pareto": row.pareto,
        "seconds": variant.seconds,
    }

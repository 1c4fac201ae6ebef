"""The part of a comparison about corruptions and attacks."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.core.parallel import in_order
from foveal.core.progress import Progress
from foveal.evaluate.held_out import sample
from foveal.evaluate.paired_resistance import paired_resistance
from foveal.evaluate.resistance import BALLS, LEVELS, SEVERITY, Resistance, resistance
from foveal.flows._contestants import Contestant
from foveal.metrics.clopper_pearson import clopper_pearson

NONE = "none"


def check_level(level: str) -> None:
    """Refuse another level than none, quick or full.

    Raises:
        UsageError: It is another.
    """
    if level != NONE and level not in LEVELS:
        raise UsageError(f"robustness is none, {' or '.join(LEVELS)}; got {level!r}")


def resisting(
    found: Sequence[Contestant],
    counted: NDArray[np.int64],
    *,
    level: str,
    seed: int,
    threads: int,
    progress: Progress,
) -> dict[str, Any] | None:
    """Return the document's `resistance`; None for the level none.

    Args:
        found: The recognizers.
        counted: The pictures that are independent, rising, int64 (M,).
        level: `none`, or one of `LEVELS`.
        seed: Of disturbances and attacks.
        threads: Recognizers at once.
        progress: Told after each recognizer.
    """
    if level == NONE:
        return None
    effort = LEVELS[level]
    most = effort.pictures(max(one.predictor.manifest.model.macs or 0 for one in found))

    def measured(one: Contestant) -> Resistance:
        images, labels = sample(one.held_out, counted, at_most=most)
        return resistance(one.predictor, images, labels, queries=effort.queries, seed=seed)

    progress("attacking", 0, len(found))
    results = []
    for result in in_order(measured, found, workers=threads, name="foveal-resistance"):
        results.append(result)
        progress("attacking", len(results), len(found))
    names = [one.name for one in found]
    return {
        "level": level,
        "images": len(results[0].clean),
        "corruptions": list(results[0].disturbed),
        "severity": SEVERITY,
        "attack": {"name": "square", "queries": effort.queries, "balls": [str(ball) for ball in BALLS]},
        "models": [_row(name, one, seed) for name, one in zip(names, results, strict=True)],
        "pairs": [
            {**asdict(pair), "a": names[pair.a], "b": names[pair.b]}
            for pair in paired_resistance(results, seed=seed)
        ],
    }


def _row(name: str, one: Resistance, seed: int) -> dict[str, Any]:
    retention = one.retention(seed=seed)
    return {
        "name": name,
        "clean": clopper_pearson(int(one.clean.sum()), len(one.clean)).as_json(),
        "mean_corruption": {**one.mean_corruption(seed=seed).as_json(), "kind": "estimate"},
        "retention": None if retention is None else {**retention.as_json(), "kind": "estimate"},
        "corruptions": {
            kind: clopper_pearson(int(right.sum()), len(right)).as_json()
            for kind, right in one.disturbed.items()
        },
        "attacked": [
            {"ball": ball, **value.as_json(), "kind": "upper_bound"} for ball, value in one.robust().items()
        ],
    }

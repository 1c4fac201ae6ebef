"""How right the answers of a network are that decides in time, at every step, by three ways to read it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.metrics.clopper_pearson import clopper_pearson

READOUTS = ("potential", "first_spike", "spike_count")
TOLERANCE = 0.01  # of accuracy, given up for an early decision

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Readings:
    """What was read of N images in T steps.

    Attributes:
        answers: By readout the class that was answered by the end of each step, int (N, T).
        first: Step of the first output spike, from 1; 0: there was none, (N,).
        ties: By readout whether several classes had the same claim at the end, so that the potential decided,
            (N,).
        tied: Whether several classes had most spikes by the end of each step, (N, T).
        output_spikes: Of all output neurons by the end, (N,).
    """

    answers: dict[str, NDArray[np.int64]]
    first: NDArray[np.int64]
    ties: dict[str, NDArray[np.bool_]]
    tied: NDArray[np.bool_]
    output_spikes: Floats


def read(evidence: Floats, potentials: Floats, spikes: Floats) -> Readings:
    """Return the answers at every step; arrays (N, T, K), as in `models.Course`.

    `potential`: the most evidence. `first_spike`: the neuron that spiked first, of several in the same step
    the one with the highest potential; as long as none has, the most evidence. `spike_count`: most spikes, of
    several the one with the most evidence. So no class is preferred for its number.
    """
    count = np.cumsum(spikes, axis=1)
    fired = spikes.max(axis=2) > 0
    first = np.where(fired.any(axis=1), fired.argmax(axis=1) + 1, 0)
    rows, at = np.arange(len(spikes)), np.maximum(first - 1, 0)
    winner = np.where(spikes[rows, at] > 0, potentials[rows, at], -np.inf).argmax(axis=1)
    potential = evidence.argmax(axis=2)
    decided = (first[:, None] > 0) & (first[:, None] <= np.arange(1, spikes.shape[1] + 1))
    most = count == count.max(axis=2, keepdims=True)
    tied = most.sum(axis=2) > 1
    return Readings(
        answers={
            "potential": potential,
            "first_spike": np.where(decided, winner[:, None], potential),
            "spike_count": np.where(most, evidence, -np.inf).argmax(axis=2),
        },
        first=first,
        ties={
            "first_spike": (first == 0) | (spikes[rows, at].sum(axis=1) > 1),
            "spike_count": tied[:, -1],
        },
        tied=tied,
        output_spikes=count[:, -1].sum(axis=1),
    )


def summary(readings: Sequence[Readings], labels: NDArray[np.int64]) -> dict[str, Any]:
    """Return what a report says of the answers over time.

    Args:
        readings: Of batches of images, in order.
        labels: Their true classes, int64 (N,), N ≥ 1.

    Returns:
        `steps`; `accuracy` by readout at every step, and as `spikes_alone` the share that the spike count
        gets right without a tie, so without help of the potential; `decided`, the share of images with an
        output spike by then; `decision_step`, mean and median over the images with one; `ties` by readout;
        `enough`, the first step from which on the potential is at most a point less accurate than at the end;
        `output_spikes_per_image`. Shares are measured proportions.
    """
    right = {
        name: np.concatenate([r.answers[name] for r in readings]) == labels[:, None] for name in READOUTS
    }
    first = np.concatenate([r.first for r in readings])
    ties = {name: np.concatenate([r.ties[name] for r in readings]) for name in READOUTS[1:]}
    images, steps = right["potential"].shape
    right["spikes_alone"] = right["spike_count"] & ~np.concatenate([r.tied for r in readings])
    accuracy = right["potential"].mean(axis=0)
    late = np.flatnonzero(accuracy < accuracy[-1] - TOLERANCE)
    spiked = first[first > 0]

    def measured(found: NDArray[np.bool_]) -> dict[str, Any]:
        return clopper_pearson(int(found.sum()), images).as_json()

    return {
        "steps": steps,
        "images": images,
        "accuracy": {name: [measured(one[:, t]) for t in range(steps)] for name, one in right.items()},
        "decided": [measured((first > 0) & (first <= t + 1)) for t in range(steps)],
        "decision_step": (
            {"mean": float(spiked.mean()), "median": float(np.median(spiked))} if len(spiked) else None
        ),
        "ties": {name: measured(found) for name, found in ties.items()},
        "enough": {"step": int(late.max(initial=-1)) + 2, "within": TOLERANCE},
        "output_spikes_per_image": float(np.concatenate([r.output_spikes for r in readings]).mean()),
    }

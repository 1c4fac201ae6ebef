"""What do other calibrations, sets and bounds bring? Half of the test part calibrates, half measures.

    python benchmarks/prediction_sets.py runs/last DATA

Prints what vector scaling and isotonic regression gain over the temperature on pictures that they were not
fitted on; coverage and size of the sets of every rule; and what two bounds answer at proven risks. Quoted in
docs/decisions/0028-prediction-sets.md.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import foveal
from foveal.bundle.locate import locate
from foveal.calibrate import sets
from foveal.calibrate.abstain import abstain
from foveal.calibrate.comparison import compare_calibrations
from foveal.calibrate.fit import Promises, fit_decision, split_roles
from foveal.calibrate.guaranteed_coverage import Scored, guaranteed_coverage
from foveal.calibrate.sgr import sgr
from foveal.calibrate.temperature import calibrated, temperature
from foveal.calibrate.vector import vector
from foveal.core import catalog
from foveal.core.progress import silent
from foveal.core.random import stream
from foveal.data.inventory import content_hashes
from foveal.flows._held_out import choose
from foveal.flows._sealed import Sealed
from foveal.metrics.class_coverage import class_coverage
from foveal.metrics.nll import nll
from foveal.metrics.set_coverage import set_coverage
from foveal.tasks.classify.decode import prediction_sets

BATCH = 64
Floats, Labels = NDArray[np.float32], NDArray[np.int64]


def answers(model: Path, data: Path) -> tuple[Floats, Labels]:
    """Return logits and labels of the test part, in an order drawn once."""
    predictor = foveal.load(model)
    sealed = Sealed.at(locate(model), predictor.manifest)
    dataset = foveal.data.open(data)
    hashes = content_hashes(dataset)
    held_out = choose(dataset, hashes, sealed, split=None, progress=silent).held_out
    order = stream(0, "benchmark").permutation(len(held_out))
    logits = []
    for start in range(0, len(order), BATCH):
        batch = np.stack([held_out.read(int(i)) for i in order[start : start + BATCH]])
        logits.append(predictor.run(batch)[1])
    return np.concatenate(logits), held_out.labels[order]


def calibrations(logits: Floats, labels: Labels, half: int) -> None:
    for n in sorted({min(200, half), min(500, half), half}):
        found = compare_calibrations(logits[:n], labels[:n])
        costs = ", ".join(f"{name} {cost.value:.4f}" for name, cost in found.nll.items())
        gains = ", ".join(f"{k} {v.value:.4f} ({v.low:.4f} to {v.high:.4f})" for k, v in found.gained.items())
        print(f"NLL, {n} pictures: {costs}; gained: {gains}; chosen: {found.chosen}")
    new, truth = logits[half:], labels[half:]
    cool = calibrated(new, temperature(logits[:half], labels[:half]))
    moved = vector(logits[:half], labels[:half]).calibrated(new)
    for name, found in (("temperature", cool), ("vector", moved)):
        right = (found.argmax(axis=1) == truth).mean()
        print(f"{name}, n={len(truth)}: NLL {nll(found, truth):.4f}, accuracy {right:.4f}")


def rules(logits: Floats, labels: Labels, half: int) -> None:
    truth = labels[half:]
    for alpha in (0.1, 0.05, 0.01):
        for name in catalog.names(sets):
            for delta in (None, 0.05):
                promises = Promises(alpha=alpha, sets=name, sets_delta=delta)
                fitted, decision = fit_decision(logits[:half], labels[:half], promises=promises)
                inside = prediction_sets(calibrated(logits[half:], fitted), decision.conformal)
                found, by_class = set_coverage(inside, truth), class_coverage(inside, truth, alpha=alpha)
                worst = min(one.value for one in by_class.coverage)
                print(
                    f"alpha {alpha:<4} delta {delta or '-':<4} {name:<8} n={decision.conformal.n} coverage "
                    f"{found.coverage}, mean size {found.mean_size:.2f}, worst class {worst:.3f}"
                )


def bounds(logits: Floats, labels: Labels, half: int) -> None:
    tuning, proving = split_roles(labels[:half])
    probabilities = calibrated(logits, temperature(logits[tuning], labels[tuning]))
    parts = [
        Scored.of(probabilities[rows], labels[rows])
        for rows in (tuning, proving, np.arange(half, len(labels)))
    ]
    for bound in (abstain, sgr):
        for one in guaranteed_coverage(*parts, bound=bound):
            told = "nothing proven" if one.coverage is None else f"answers {one.coverage}; wrong {one.risk}"
            print(f"{bound.__name__}, risk {one.abstain.risk:.1%}: {told}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    given = parser.parse_args()
    logits, labels = answers(given.model, given.data)
    half = len(labels) // 2
    calibrations(logits, labels, half)
    rules(logits, labels, half)
    bounds(logits, labels, half)


if __name__ == "__main__":
    main()

"""Does the temperature make confidence honest? Calibration error with and without it, on the test part.

    python benchmarks/temperature.py runs/last DATA

Both are computed from the outputs of the sealed file: `logits` come before the temperature, `probabilities`
after it. Prints ECE with the level that pure chance gives, and how many labels changed.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import foveal
from foveal.bundle.locate import locate
from foveal.calibrate.temperature import calibrated
from foveal.core.progress import silent
from foveal.data.inventory import content_hashes
from foveal.flows._held_out import choose
from foveal.flows._sealed import Sealed
from foveal.metrics.accuracy import accuracy
from foveal.metrics.ece import ece, ece_null

BATCH = 64


def tell(name: str, probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> None:
    found, chance = ece(probabilities, labels), ece_null(probabilities)
    print(f"{name:<20} ECE {found:.4f} n={len(labels)}  chance alone up to {chance:.4f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    given = parser.parse_args()
    predictor = foveal.load(given.model)
    sealed = Sealed.at(locate(given.model), predictor.manifest)
    dataset = foveal.data.open(given.data)
    hashes = content_hashes(dataset)
    held_out = choose(dataset, hashes, sealed, split=None, progress=silent).held_out
    outputs = [
        predictor.run(np.stack([held_out.read(i) for i in range(start, min(start + BATCH, len(held_out)))]))
        for start in range(0, len(held_out), BATCH)
    ]
    after, logits = (np.concatenate(parts) for parts in zip(*outputs, strict=True))
    before = calibrated(logits, 1.0)
    right = accuracy(after, held_out.labels)
    print(f"temperature {predictor.manifest.temperature:.3f}, accuracy {right.value:.4f}, n={right.n}")
    tell("without temperature", before, held_out.labels)
    tell("with temperature", after, held_out.labels)
    print(f"labels that changed: {int((before.argmax(1) != after.argmax(1)).sum())}")


if __name__ == "__main__":
    main()

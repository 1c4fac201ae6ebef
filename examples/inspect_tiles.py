"""Inspect tiles: once from good ones alone, and once from masks of their defects.

    python examples/inspect_tiles.py OUT DATA [--epochs N] [--size 256] [--transfer] [--good NAMES]

DATA has a folder for each kind of defect with masks, and one of good tiles; this was made for magnetic tiles
(github.com/abin24/Magnetic-tile-defect-datasets., which states no licence). They stand in for painted
surfaces. docs/benchmarks.md has the numbers.
"""

import argparse
from pathlib import Path
from typing import Any

from foveal.flows.inspect_train import Mode, Wanted, inspect_train
from foveal.train import Recipe

NUMBERS = ("image_auroc", "false_call_at_99_recall", "miou")


def main(out: Path, data: Path, recipe: Recipe, good: tuple[str, ...]) -> None:
    modes: tuple[tuple[Mode, Recipe], ...] = (("good", Recipe(size=recipe.size)), ("surface", recipe))
    for mode, own in modes:
        made = inspect_train(data, Wanted(mode=mode, good=good), own, out=out / mode, force=True)
        if made["bundle"] is None:
            raise SystemExit("the exported file answers otherwise than the network: see the report")
        tell(mode, made)


def tell(mode: str, made: dict[str, Any]) -> None:
    """Print what was measured, and what good tiles are promised."""
    found = made["evaluation"]
    print(f"{mode}: {found['parts']} tiles, {found['defective']} of them defective")
    for name in NUMBERS:
        one = found[name]
        if one is not None:
            print(f"  {name}: {one['value']:.3f} ({one['low']:.3f} to {one['high']:.3f}), n={one['n']}")
    calls = made["training"].get("false_calls")
    if calls is not None and calls["threshold"] is not None:
        print(
            f"  of good tiles {calls['expected']:.1%} are called defective at most, on average "
            f"(with 95 % certainty {calls['bound']:.1%}), n={calls['n']}"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--epochs", type=float, help="passes over the tiles; default: as many as usual")
    parser.add_argument("--size", type=int, default=256, help="side of the input in pixels")
    parser.add_argument("--transfer", action="store_true", help="start from weights of ImageNet")
    parser.add_argument("--good", default="", help="folders of good tiles, such as ok,plain")
    given = parser.parse_args()
    wanted = Recipe(epochs=given.epochs, size=given.size, transfer=given.transfer)
    main(given.out, given.data, wanted, tuple(filter(None, given.good.split(","))))

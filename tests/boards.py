"""Drawn boards with a template each: copper on a dark ground, holes in it and spots beside it as defects."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

UInt8 = NDArray[np.uint8]
GROUND, COPPER = 40, 200
KINDS = ("hole", "spot")


def board(rng: np.random.Generator, *, side: int = 160) -> UInt8:
    """Return a board without defects, uint8 (side, side): crossing traces and pads, softened."""
    drawn = np.full((side, side), GROUND, np.uint8)
    for _ in range(5):
        at, width = int(rng.integers(8, side - 24)), int(rng.integers(8, 16))
        if rng.random() < 0.5:
            drawn[at : at + width] = COPPER
        else:
            drawn[:, at : at + width] = COPPER
    for _ in range(4):
        y, x = rng.integers(4, side - 36, 2)
        drawn[y : y + 26, x : x + 26] = COPPER
    return drawn


def with_defects(good: UInt8, rng: np.random.Generator, *, count: int = 3) -> tuple[UInt8, list[str]]:
    """Return a board with defects, and a line `x1 y1 x2 y2 kind` for each."""
    found, lines = good.copy(), []
    side, taken = len(good), np.zeros(good.shape, bool)
    for _ in range(200):
        size = int(rng.integers(8, 13))
        y, x = (int(v) for v in rng.integers(4, side - size - 4, 2))
        around = (slice(max(0, y - 14), y + size + 14), slice(max(0, x - 14), x + size + 14))
        inside = good[y : y + size, x : x + size]
        if len(lines) == count or taken[around].any() or inside.min() != inside.max():
            continue
        taken[y : y + size, x : x + size] = True
        kind = "hole" if inside[0, 0] == COPPER else "spot"
        found[y : y + size, x : x + size] = GROUND if kind == "hole" else COPPER
        lines.append(f"{x - 3} {y - 3} {x + size + 3} {y + size + 3} {kind}")
    return found, lines


def seen(clean: UInt8, rng: np.random.Generator) -> UInt8:
    """Return a board as a camera sees it: with noise."""
    return np.clip(clean + rng.normal(0, 4, clean.shape), 0, 255).astype(np.uint8)


def write_pairs(
    folder: Path, *, pairs: int = 24, good: int = 0, side: int = 160, seed: int = 0, splits: bool = True
) -> Path:
    """Write boards as a table of pairs, `pairs.csv`, and return its folder.

    Args:
        folder: To write into.
        pairs: Boards with defects.
        good: Boards without any.
        side: Of a board in pixels.
        seed: Of all draws.
        splits: Whether the table has a column for them: the last quarter is `test`, the one before `val`.
    """
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    rows = ["image,template,annotation" + ",split" * splits]
    whole = pairs + good
    for number in range(whole):
        clean = board(rng, side=side)
        defective, lines = with_defects(clean, rng) if number % whole < pairs else (clean, [])
        name = f"{number:03}"
        Image.fromarray(seen(defective, rng)).save(folder / f"{name}.png")
        Image.fromarray(seen(clean, rng)).save(folder / f"{name}_template.png")
        (folder / f"{name}.txt").write_text("\n".join(lines), encoding="utf-8")
        split = ("train", "train", "val", "test")[number % 4]
        rows.append(f"{name}.png,{name}_template.png,{name}.txt" + f",{split}" * splits)
    (folder / "pairs.csv").write_text("\n".join(rows), encoding="utf-8")
    return folder

"""Drawn parts: a grained surface that is good, or has a dark hole or a bright scratch on it."""

from pathlib import Path

import numpy as np
from PIL import Image

KINDS = ("hole", "scratch")


def part(kind: str, *, side: int = 64, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return a grey picture, uint8 (H, W), and which of its pixels are the defect, bool (H, W)."""
    height, width = side, int(side * rng.uniform(0.7, 1.0))
    grain = rng.normal(0, 8, (height, width)) + rng.normal(0, 6, (1, width))
    down, across = np.mgrid[:height, :width]
    top, left = rng.integers(side // 4, side // 2, 2)
    marked = np.zeros((height, width), bool)
    if kind == "hole":
        marked = (down - top) ** 2 + (across - left) ** 2 <= rng.integers(5, 8) ** 2
    if kind == "scratch":
        marked = (abs(across - left) <= 2) & (abs(down - top) <= 14)
    light = {"hole": -80.0, "scratch": 80.0}.get(kind, 0.0)
    pixels = np.clip(120 + grain + light * marked, 0, 255).astype(np.uint8)
    return pixels, marked


def write_parts(folder: Path, *, good: int = 24, each: int = 12, side: int = 64, seed: int = 0) -> Path:
    """Write folders of kinds, with masks beside the pictures, and return the folder."""
    rng = np.random.default_rng(seed)
    for kind, count in (("ok", good), *((kind, each) for kind in KINDS)):
        (folder / kind).mkdir(parents=True)
        for number in range(count):
            pixels, marked = part(kind, side=side, rng=rng)
            Image.fromarray(pixels).save(folder / kind / f"{number}.png")
            if kind != "ok":
                Image.fromarray(marked.astype(np.uint8) * 255).save(folder / kind / f"{number}_mask.png")
    return folder

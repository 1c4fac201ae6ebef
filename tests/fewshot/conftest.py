"""Small taught bundles: coloured pictures, and the colour classifier's features as the backbone."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

PAINTS = {
    "red": (200, 60, 60), "green": (60, 200, 60), "blue": (60, 60, 200), "yellow": (200, 200, 60),
    "violet": (200, 60, 200),
}  # fmt: skip


@pytest.fixture(scope="session")
def paint() -> Callable[..., list[Path]]:
    """Write noisy pictures of a colour and return their paths."""

    def write(folder: Path, name: str, count: int, *, seed: int = 0, first: int = 0) -> list[Path]:
        folder.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng([seed, list(PAINTS).index(name)])
        paths = []
        for number in range(first, first + count):
            noise = rng.normal(0, 25, (20, 24, 3)) + rng.normal(0, 12, 3)
            pixels = (np.array(PAINTS[name]) + noise).clip(0, 255).astype(np.uint8)
            path = folder / f"{number:03}.png"
            Image.fromarray(pixels).save(path)
            paths.append(path)
        return paths

    return write


@pytest.fixture
def few(paint: Callable[..., list[Path]], tmp_path: Path) -> Path:
    """Six pictures of each of four colours in class folders."""
    for name in ("blue", "green", "red", "yellow"):
        paint(tmp_path / "few" / name, name, 6)
    return tmp_path / "few"

"""Pictures and folders of pictures, made on the spot."""

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

Pixels = Callable[..., np.ndarray]
Encode = Callable[..., bytes]
Folder = Callable[..., Path]


@pytest.fixture(scope="session")
def pixels() -> Pixels:
    """Return a function that makes smooth RGB pixels, another picture for each seed."""

    def make(height: int = 24, width: int = 32, *, seed: int = 0) -> np.ndarray:
        random = np.random.default_rng(seed)
        y, x = np.mgrid[0:height, 0:width]
        waves = [
            np.sin(x * random.uniform(0.05, 0.4) + random.uniform(0, 6))
            + np.cos(y * random.uniform(0.05, 0.4))
            for _ in range(3)
        ]
        return ((np.stack(waves, axis=2) + 2) * 63).astype(np.uint8)

    return make


@pytest.fixture(scope="session")
def encode() -> Encode:
    """Return a function that writes an array or a Pillow image as file bytes."""

    def write(image: np.ndarray | Image.Image, kind: str = "PNG", **options: Any) -> bytes:
        file = io.BytesIO()
        (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(file, kind, **options)
        return file.getvalue()

    return write


@pytest.fixture
def folder(tmp_path: Path, pixels: Pixels, encode: Encode) -> Folder:
    """Return a function that makes a tree of pictures from {folder: number of pictures}."""

    def make(counts: Mapping[str, int], *, name: str = "data", kind: str = "PNG", side: int = 12) -> Path:
        root = tmp_path / name
        for place, (below, count) in enumerate(counts.items()):
            (root / below).mkdir(parents=True, exist_ok=True)
            for i in range(count):
                content = encode(pixels(side, side, seed=1000 * place + i), kind)
                (root / below / f"{i:03d}.{kind.lower()}").write_bytes(content)
        return root

    return make

"""Pictures and folders of pictures, made on the spot."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from bad_inputs.made import encoded, photo

Pixels = Callable[..., np.ndarray]
Encode = Callable[..., bytes]
Folder = Callable[..., Path]


@pytest.fixture(scope="session")
def pixels() -> Pixels:
    """Return a function that makes smooth RGB pixels, another picture for each seed."""

    return photo


@pytest.fixture(scope="session")
def encode() -> Encode:
    """Return a function that writes an array or a Pillow image as file bytes."""

    return encoded


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

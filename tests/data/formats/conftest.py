"""Small annotated trees, written on the spot."""

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from bad_inputs.made import encoded, photo

Tree = Callable[..., Path]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Return a function that writes a folder from {name: text, bytes, array, or size of a picture}."""

    def write(
        content: Mapping[str, str | bytes | np.ndarray | tuple[int, int]], *, name: str = "set"
    ) -> Path:
        root = tmp_path / name
        for place, (below, what) in enumerate(content.items()):
            path = root / below
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(what, tuple):
                width, height = what
                kind = "JPEG" if below.endswith("jpg") else "PNG"
                what = encoded(photo(height, width, seed=place), kind)
            elif isinstance(what, np.ndarray):
                what = encoded(what)
            elif isinstance(what, str):
                what = what.encode()
            path.write_bytes(what)
        return root

    return write


@pytest.fixture
def zipped(tmp_path: Path) -> Callable[[Path], Path]:
    """Return a function that packs a folder, with the folder around everything."""

    def pack(folder: Path) -> Path:
        target = tmp_path / f"{folder.name}.zip"
        with zipfile.ZipFile(target, "w") as archive:
            for path in sorted(folder.rglob("*")):
                archive.write(path, path.relative_to(folder.parent))
        return target

    return pack

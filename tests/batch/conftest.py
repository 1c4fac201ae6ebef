"""A small collection, and the command as a process of its own."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

COUNT = 24


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """24 pictures, one of them cut off, one that is text."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(COUNT):
        pixels = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02}.jpg")
    whole = (folder / "05.jpg").read_bytes()
    (folder / "05.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "11.jpg").write_text("no picture")
    return folder


@pytest.fixture
def batch(bundle: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `foveal batch BUNDLE …` in a process of its own, with failpoints where they are given."""

    def run(
        *arguments: object, failpoints: str = "", stdin: str = "", model: Path = bundle
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "foveal", "batch", str(model), *map(str, arguments), "--json", "-q"],
            capture_output=True,
            text=True,
            input=stdin,
            check=False,
            cwd=tmp_path,
            env={**os.environ, "FOVEAL_FAILPOINTS": failpoints},
        )

    return run


@pytest.fixture(scope="session")
def checker(project: Path) -> ModuleType:
    """The checker of jobs, which shares no code with what it checks."""
    path = project / "benchmarks" / "batch_checker.py"
    spec = importlib.util.spec_from_file_location("batch_checker", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

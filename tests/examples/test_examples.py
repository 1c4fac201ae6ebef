"""Every example runs as it stands, on data that it brings itself, with warnings as errors."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "examples").glob("*.py"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_and_leaves_its_bundles(example: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", str(example), str(tmp_path / "out")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "out").rglob("*.foveal"))
    assert [path.name for path in tmp_path.iterdir()] == ["out"], "it writes nowhere else"


def test_there_is_an_example() -> None:
    assert "bring_your_own_model" in {path.stem for path in EXAMPLES}

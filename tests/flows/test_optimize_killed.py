"""`foveal optimize` under kill -9: a search that is killed again and again ends as sound as any.

The process kills itself at a moment that is known: between two steps, inside a training, or when half of a
file is on the disk. Its clock stands still, so that the machine's speed decides nothing.
"""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from foveal.bundle import archive
from foveal.bundle.predictor import Predictor
from foveal.core import files
from foveal.core.steps import file_hash

LINE = """
import importlib, os, signal, sys
from contextlib import contextmanager
from fnmatch import fnmatch
from foveal.cli._main import run
from foveal.core import files
from foveal.optimize import search, workshop

when, what, *line = sys.argv[1:]
search._MOST_CANDIDATES, search._LEAST_LESSON = 2, 0.1
workshop.Workshop._spent = lambda _: 0.0

def half_written(path, data, write=files._write_synced):
    if when == "writing" and fnmatch(path.name, what):
        write(path, data[: len(data) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
    write(path, data)

@contextmanager
def telling(quiet):
    def tell(stage, done, total, note=""):
        half = done >= total / 2 or stage == "variants"
        if when == "telling" and half and fnmatch(f"{stage} {note}", what):
            os.kill(os.getpid(), signal.SIGKILL)
    yield tell

files._write_synced = half_written
importlib.import_module("foveal.cli.optimize").progress = telling
sys.exit(run(line))
"""
MOMENTS = {
    "as it begins": ("writing", ".request.json.*"),
    "in a free lever": ("writing", ".int8.foveal.*"),
    "while a step is written down": ("writing", ".steps.json.*"),
    "in the choice of candidates": ("writing", ".candidates.json.*"),
    "in a short lesson": ("telling", "train *"),
    "between two lessons": ("telling", "variants *-long"),
    "in the last timing": ("telling", "timing *"),
    "in the delivery": ("writing", ".{bundle}.*"),
    "as it ends": ("writing", ".optimize.json.*"),
}


def finished(out: Path) -> dict[Path, tuple[int, str]]:
    """Return all files of finished steps and the plans of lessons that were begun, as they are."""
    steps = json.loads((out / "steps.json").read_text()) if (out / "steps.json").is_file() else {}
    paths = {out / name for step in steps.values() for name in step["made"]}
    paths |= set(out.glob("variants/*/plan.json"))
    return {path: (path.stat().st_mtime_ns, file_hash(path)) for path in paths}


@pytest.mark.slow
def test_a_search_that_is_killed_at_every_stage_ends_sound_and_does_nothing_twice(trained, tmp_path) -> None:
    out = tmp_path / "search"
    line = ["optimize", str(trained.run), "--max-drop", "50pt", "--time", "4s", "--out", str(out)]
    line += ["--engine", "onnxruntime", "--threads", "1", "--json"]

    def run(when, what):
        command = [sys.executable, "-c", LINE, when, what, *line]
        return subprocess.run(command, check=False, capture_output=True, text=True)

    kept: dict[Path, tuple[int, str]] = {}
    for moment, (when, what) in MOMENTS.items():
        killed = run(when, what.format(bundle=trained.bundle.name))
        assert killed.returncode == -signal.SIGKILL, (moment, killed.returncode, killed.stderr)
        assert bool(list(files.left_over(out))) == (when == "writing"), moment
        assert not (out / "optimize.json").exists(), "it says that all is there"
        now = finished(out)
        assert {path: now.get(path) for path in kept} == kept, moment
        kept = now
    assert any(path.name == "plan.json" for path in kept)

    ended = run("never", "")

    assert ended.returncode == 0, ended.stderr
    assert {path: finished(out)[path] for path in kept} == kept
    assert not list(files.left_over(out))
    document = json.loads((out / "optimize.json").read_text())
    assert document == json.loads(ended.stdout)
    names = [row["name"] for row in document["variants"]]
    assert len(set(names)) == len(names)
    assert {"short", "long", "int8"} <= {name.rpartition("-")[2] for name in names}
    for path in [*out.glob("variants/*/*.foveal"), Path(document["bundle"])]:
        assert archive.read(path).manifest.digest
        assert Predictor.open(path).classes == Predictor.open(trained.bundle).classes
    assert archive.read(document["bundle"]).manifest.digest == document["digest"]
    assert archive.read(document["bundle"]).report["digest"] == document["digest"]

    again = run("never", "")

    assert again.returncode == 0
    assert {path: finished(out)[path] for path in kept} == kept

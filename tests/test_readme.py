"""The README is run, its shell and Python blocks in order on generated pictures, and its promises checked."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

# A tour may take five minutes, a test may not.
SHORTER = {"--time 5m": "--epochs 2 --threads 1"}


@pytest.fixture(scope="module")
def readme(project: Path) -> str:
    return (project / "README.md").read_text(encoding="utf-8")


def blocks(text: str) -> list[tuple[str, str]]:
    return re.findall(r"^```(sh|python)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def make_pictures(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for channel, name in enumerate(("dent", "ok", "scratch")):
        (folder / name).mkdir(parents=True)
        for number in range(20):
            pixels = rng.integers(0, 120, (32, 32, 3), dtype=np.uint8)
            pixels[:, :, channel] += 100
            Image.fromarray(pixels).save(folder / name / f"{number:03d}.jpg")


def test_blocks_of_the_readme_run_in_order(readme: str, tmp_path: Path) -> None:
    make_pictures(tmp_path / "pictures")
    before = sorted(p.name for p in (tmp_path / "pictures").rglob("*"))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    told = ""

    for language, code in blocks(readme):
        for long, short in SHORTER.items():
            code = code.replace(long, short)
        command = (
            ["sh", "-e", "-c", code] if language == "sh" else [sys.executable, "-W", "error", "-c", code]
        )
        result = subprocess.run(
            command,
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, f"{code}\n{result.stdout}\n{result.stderr}"
        told += result.stdout

    answers = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert [Path(answer["source"]).parent.name for answer in answers] == ["dent"] * 20
    assert "report" in told
    assert "bundle" in told
    assert before == sorted(p.name for p in (tmp_path / "pictures").rglob("*")), "data is only read"


def test_readme_has_both_languages_and_stays_short(readme: str) -> None:
    assert {language for language, _ in blocks(readme)} == {"sh", "python"}
    assert all(long in readme for long in SHORTER)
    assert readme.count("\n") <= 150


def test_readme_names_the_two_commands_that_the_makefile_has(readme: str, project: Path) -> None:
    makefile = (project / "Makefile").read_text(encoding="utf-8")

    for goal in ("demo", "test"):
        assert f"$ make {goal} " in readme
        assert re.search(rf"^{goal}:", makefile, flags=re.MULTILINE)
    assert "make --no-print-directory test" in (project / ".ci" / "run").read_text(encoding="utf-8")


def test_dry_run_of_make_installs_before_it_runs(project: Path, tmp_path: Path) -> None:
    def plan(goal: str) -> str:
        command = ["make", "--dry-run", f"VENV={tmp_path / 'venv'}", goal]
        return subprocess.run(command, cwd=project, capture_output=True, text=True, check=True).stdout

    demo, test = plan("demo"), plan("test")
    assert demo.index("-m venv") < demo.index("5.6 GB") < demo.index("'.[train]'") < demo.index("foveal demo")
    assert test.index("-m venv") < test.index("'.[dev]'") < test.index("-m pytest")


def test_make_says_what_is_missing_where_there_is_no_python(project: Path, tmp_path: Path) -> None:
    command = ["make", f"VENV={tmp_path / 'venv'}", "PYTHONS=no-such-python", "demo"]
    result = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)

    assert result.returncode == 2
    assert "foveal needs Python 3.11 or newer" in result.stderr

"""core.child: another process answers, or it is said why it did not."""

import os
from pathlib import Path

import pytest

from foveal.core import child


@pytest.fixture
def module(tmp_path, monkeypatch):
    def write(code: str) -> str:
        (tmp_path / "asked.py").write_text(code)
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
        return "asked"

    return write


def test_the_answer_is_the_object_that_was_printed(module):
    told = child.ask(module("import json, sys; print(json.dumps({'given': sys.argv[1:]}))"), "a b", "ü")

    assert told == child.Told({"given": ["a b", "ü"]})


def test_one_that_is_killed_says_by_what(module):
    told = child.ask(module("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"))

    assert (told.answer, told.error) == (None, "the process was killed by signal 9")


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("raise ValueError('no luck')", "the process ended with 1: ValueError: no luck"),
        ("import sys; sys.exit(3)", "the process ended with 3: it said nothing"),
    ],
)
def test_one_that_fails_says_its_last_line(module, code, error):
    assert child.ask(module(code)) == child.Told(None, error)


def test_a_file_in_the_working_folder_is_not_taken_for_a_module(tmp_path, monkeypatch):
    (tmp_path / "numpy.py").write_text("raise SystemExit('shadowed')")
    monkeypatch.chdir(tmp_path)

    told = child.ask("foveal.bundle.trial", "onnxruntime")

    assert Path("numpy.py").exists()
    assert told.answer is not None, told.error
    assert told.answer["works"] is True

"""core.runs: run folders are numbered, never overwritten, and written by one process at a time."""

import subprocess
import sys

import pytest

from foveal.core import runs
from foveal.core.errors import TemporaryError, WriteError


@pytest.fixture(autouse=True)
def in_a_new_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_runs_are_numbered_and_last_leads_to_the_newest(tmp_path):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "train-7").mkdir()
    (tmp_path / "runs" / "train-x").mkdir()

    first, second, other = (runs.new_run(verb) for verb in ("train", "train", "evaluate"))
    assert not (tmp_path / "runs" / "last").exists(), "a run is the last one when it has something to show"
    runs.mark_last(other)

    assert [run.name for run in (first, second, other)] == ["train-8", "train-9", "evaluate-1"]
    assert (tmp_path / "runs" / "last").resolve() == (tmp_path / other).resolve()


def test_where_links_are_not_allowed_last_is_a_text_file(tmp_path, monkeypatch):
    def refused(self, target, target_is_directory=False):
        raise OSError("links are not allowed")

    monkeypatch.setattr("pathlib.Path.symlink_to", refused)
    runs.mark_last(runs.new_run("train"))

    assert (tmp_path / "runs" / "last").read_text() == "train-1\n"


def test_a_run_elsewhere_is_not_the_last_and_a_folder_in_the_way_is_an_error(tmp_path):
    runs.mark_last(runs.new_run("train", out=tmp_path / "elsewhere"))
    assert not (tmp_path / "runs").exists()
    (tmp_path / "runs" / "last" / "x").mkdir(parents=True)

    with pytest.raises(WriteError, match="cannot write"):
        runs.mark_last(runs.new_run("train"))

    assert not list((tmp_path / "runs").glob(".last-*"))


def test_a_folder_with_something_in_it_needs_force(tmp_path):
    out = tmp_path / "out"
    runs.new_run("train", out=out)
    (out / "x").touch()

    with pytest.raises(WriteError, match="is not empty"):
        runs.new_run("train", out=out)

    assert runs.new_run("train", out=out, force=True) == out


def test_a_file_in_the_way_is_an_error(tmp_path):
    (tmp_path / "out").touch()

    with pytest.raises(WriteError, match="is a file"):
        runs.new_run("train", out=tmp_path / "out")

    (tmp_path / "runs").touch()
    with pytest.raises(WriteError, match="cannot make a folder"):
        runs.new_run("train")


def test_a_second_process_is_refused_and_a_dead_one_forgotten(tmp_path):
    run = runs.new_run("train")
    attempt = (
        "import sys; from pathlib import Path; from foveal.core import runs\n"
        "with runs.locked(Path(sys.argv[1])): print('in')"
    )

    def other():
        return subprocess.run(
            [sys.executable, "-c", attempt, run], capture_output=True, text=True, check=False
        )

    with runs.locked(run):
        refused = other()
    assert "TemporaryError: another process is writing to" in refused.stderr
    assert other().stdout == "in\n"


def test_the_same_process_is_refused_too():
    run = runs.new_run("train")

    with runs.locked(run), pytest.raises(TemporaryError, match="another process"), runs.locked(run):
        pass

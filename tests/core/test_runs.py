"""core.runs: run folders are numbered, never overwritten, and written by one process at a time."""

import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

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


def no_links(self, target, target_is_directory=False):
    raise OSError("links are not allowed")


def test_where_links_are_not_allowed_last_is_a_text_file(tmp_path, monkeypatch):
    monkeypatch.setattr("pathlib.Path.symlink_to", no_links)
    runs.mark_last(runs.new_run("train"))

    assert (tmp_path / "runs" / "last").read_text() == "train-1\n"


def test_a_run_elsewhere_is_not_the_last_and_a_folder_in_the_way_is_an_error(tmp_path):
    runs.mark_last(runs.new_run("train", out=tmp_path / "elsewhere"))
    assert not (tmp_path / "runs").exists()
    (tmp_path / "runs" / "last" / "x").mkdir(parents=True)

    with pytest.raises(WriteError, match="cannot write"):
        runs.mark_last(runs.new_run("train"))

    assert not list((tmp_path / "runs").glob(".last-*"))


def test_a_folder_with_a_run_in_it_needs_force(tmp_path):
    out = tmp_path / "out"
    runs.new_run("train", out=out)
    for name in ("recipe.toml", "env.json"):
        (out / name).touch()

    with pytest.raises(WriteError, match="is not empty") as caught:
        runs.new_run("train", out=out)

    assert "--force" in caught.value.hint
    assert runs.new_run("train", out=out, force=True) == out


def test_a_folder_with_anything_else_in_it_is_refused_even_with_force(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "recipe.toml").touch()

    with pytest.raises(WriteError, match="holds no run") as caught:
        runs.new_run("train", out=out, force=True)

    assert "--force" not in caught.value.hint


@pytest.mark.parametrize("run", ["data", "data/a/run", ".", "link", "data/../data/run"])
def test_a_run_that_is_holds_or_lies_inside_the_data_is_refused(tmp_path, run):
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to("data")

    with pytest.raises(WriteError, match="is only read") as caught:
        runs.keep_apart(Path(run), Path("data"))

    assert caught.value.code == "inside_data"
    assert "--out" in caught.value.hint


def test_a_numbered_run_inside_the_data_is_refused(tmp_path):
    (tmp_path / "runs").mkdir()
    runs.keep_apart(None, Path("data"))
    runs.keep_apart(Path("data-2"), Path("data"))
    runs.keep_apart(None, Path("runs/data"))

    with pytest.raises(WriteError, match="is only read"):
        runs.keep_apart(None, Path())
    with pytest.raises(WriteError, match="is only read"):
        runs.keep_apart(None, Path("runs"))


def test_a_run_in_any_part_of_the_data_is_refused(tmp_path):
    runs.keep_apart(Path("runs/a"), Path("parts.csv"), Path("shots"))

    with pytest.raises(WriteError, match="what is in shots is only read"):
        runs.keep_apart(Path("shots/a"), Path("parts.csv"), Path("shots"))
    with pytest.raises(WriteError, match=r"what is in parts\.csv is only read"):
        runs.keep_apart(Path("parts.csv"), Path("parts.csv"), Path("shots"))


@pytest.mark.parametrize("links", [True, False])
def test_marking_a_run_that_was_named_by_last_changes_nothing(tmp_path, monkeypatch, links):
    if not links:
        monkeypatch.setattr("pathlib.Path.symlink_to", no_links)
    run = runs.new_run("train")
    runs.mark_last(run)

    runs.mark_last(runs.find(Path("runs/last")))
    if links:
        runs.mark_last(Path("runs/last"))
    runs.mark_last(run.absolute())

    assert runs.find(Path("runs/last")) == runs.last() == run


def test_paths_that_lead_to_no_other_run_are_returned_as_they_are(tmp_path):
    assert runs.last() is None
    for path in ("nowhere", "x" * 300, "nul\0"):
        assert runs.find(path) == Path(path)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "last").write_text("..")
    assert runs.last() is None
    (tmp_path / "runs" / "last").unlink()
    (tmp_path / "runs" / "last").symlink_to("last")
    assert runs.last() is None


def test_taking_a_mark_back_restores_the_former_one_but_not_over_a_later_one():
    first, second, third = (runs.new_run("train") for _ in range(3))
    runs.mark_last(first)
    runs.mark_last(second)

    runs.unmark_last(second, first)
    assert runs.last() == first
    runs.mark_last(third)
    runs.unmark_last(second, first)
    assert runs.last() == third
    runs.unmark_last(third, None)
    assert runs.last() is None


def test_a_run_folder_that_cannot_be_written_is_an_error_of_writing(tmp_path):
    run = runs.new_run("train")
    (run / ".lock").mkdir()

    with pytest.raises(WriteError, match="cannot write runs/train-1"), runs.locked(run):
        pass


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


@pytest.mark.parametrize(
    ("names", "ours"),
    [
        ([], True),
        ([".lock"], True),
        ([".lock", ".request.json.0123456789abcdef.tmp"], True),
        (["request.json", "anything"], True),
        ([".lock", "mine.txt"], False),
        ([".mine.txt.0123456789abcdef.tmp"], False),
        ([".request.json.mine.tmp"], False),
    ],
)
def test_a_folder_is_ours_that_is_empty_says_so_or_was_killed_as_it_began_to(tmp_path, names, ours) -> None:
    for name in names:
        (tmp_path / name).write_text("")

    with nullcontext() if ours else pytest.raises(WriteError, match="holds no search"):
        runs.claim(tmp_path, request="request.json", kind="search")

"""core.files: a reader sees the old file or the new one, and a failure leaves nothing behind."""

import json
import os
import stat
from pathlib import Path

import pytest

from foveal.core import files
from foveal.core.errors import WriteError


def test_it_replaces_the_whole_file(tmp_path):
    path = tmp_path / "a.json"

    files.write_json(path, {"x": "é", "y": [1]})
    files.write_json(path, {})

    assert json.loads(path.read_text(encoding="utf-8")) == {}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_it_respects_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        files.write_text(tmp_path / "a", "x")
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_a_failure_keeps_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "a"
    files.write_text(path, "old")

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WriteError, match=r"cannot write .*No space left"):
        files.write_text(path, "new")

    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_missing_folder_is_an_error_with_the_path(tmp_path):
    with pytest.raises(WriteError, match="No such file") as caught:
        files.write_text(tmp_path / "no" / "a", "x")

    assert caught.value.path == str(tmp_path / "no" / "a")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_json_is_refused(tmp_path, value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(tmp_path / "a", value)

    assert not list(tmp_path.iterdir())


def test_a_line_is_added_and_a_folder_made_once(tmp_path):
    files.make_folder(tmp_path / "a" / "b")
    files.make_folder(tmp_path / "a" / "b")
    files.append(tmp_path / "a" / "b" / "log", "é\n")
    files.append(tmp_path / "a" / "b" / "log", "2\n")

    assert (tmp_path / "a" / "b" / "log").read_text(encoding="utf-8") == "é\n2\n"


def test_removing_takes_a_folder_but_not_what_a_link_leads_to(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "link").symlink_to("a")

    files.remove(tmp_path / "link")
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    files.remove(tmp_path / "a")
    files.remove(tmp_path / "a")
    assert not list(tmp_path.iterdir())


def test_what_the_system_refuses_is_an_error_of_writing(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(WriteError, match="cannot make"):
        files.make_folder(tmp_path / "file" / "a")
    with pytest.raises(WriteError, match="cannot write"):
        files.append(tmp_path, "x")
    with pytest.raises(WriteError, match="cannot remove"):
        files.remove(tmp_path / ("x" * 300))


def test_names_that_are_no_utf8_are_written_as_json_that_gives_them_back(tmp_path):
    files.write_json(tmp_path / "x.json", {"group": "M\udcfcller"})

    assert json.loads((tmp_path / "x.json").read_text(encoding="utf-8")) == {"group": "M\udcfcller"}


def test_what_a_killed_writer_left_is_found_and_nothing_else(tmp_path, monkeypatch) -> None:
    """A kill leaves the temporary file: neither the old one nor the new one is touched."""
    (tmp_path / "below").mkdir()
    kept = [tmp_path / name for name in ("a.json", ".hidden", ".mine.tmp", "x.0123456789abcdef.tmp")]
    for path in kept:
        path.write_text("mine")

    class Killed(BaseException):
        pass

    def die(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", die)  # nobody tidies up after a kill
        patch.setattr(Path, "replace", die)
        for path in (tmp_path / "a.json", tmp_path / "below" / "b.json"):
            with pytest.raises(Killed):
                files.write_bytes(path, b"new")

    found = list(files.left_over(tmp_path))

    assert sorted(path.parent.name for path in found) == sorted([tmp_path.name, "below"])
    assert not set(found) & set(kept)
    assert {path.read_text() for path in kept} == {"mine"}
    assert not (tmp_path / "below" / "b.json").exists()


@pytest.mark.parametrize("links", [True, False])
def test_a_new_file_is_written_where_none_is_and_never_over_one(tmp_path, monkeypatch, links) -> None:
    if not links:

        def none(*_: object) -> None:
            raise PermissionError(1, "no links here")

        monkeypatch.setattr("os.link", none)
    path = tmp_path / "a"

    files.write_bytes(path, b"first", new=True)
    if links:
        with pytest.raises(WriteError, match="cannot write"):
            files.write_bytes(path, b"second", new=True)

    assert path.read_bytes() == b"first"
    assert [one.name for one in tmp_path.iterdir()] == ["a"]

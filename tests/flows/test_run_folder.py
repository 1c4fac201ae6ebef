"""flows._run_folder: a run can be resumed once all is there; its bundle's name fits on every disk."""

from pathlib import Path

import pytest

from foveal.core import files
from foveal.core.errors import WriteError
from foveal.flows import _run_folder
from foveal.flows._run_folder import Command, bundle_name, read_command, start
from foveal.train.recipe import Recipe


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.tar.xz", "a"),
        ("my set.zip", "my-set"),
        ("ünï", "ünï"),
        ("", "recognizer"),
        ("x.tgz", "x"),
        ("x" * 200, "x" * 100),
        ("花" * 78, "花" * 33),
    ],
)
def test_a_bundle_is_named_after_the_data(name, expected):
    assert bundle_name(Path("/d") / name if name else Path("/")) == expected


def test_a_long_name_leaves_room_for_a_temporary_one(tmp_path):
    path = tmp_path / f"{bundle_name(Path('/') / ('花' * 78))}.foveal"

    files.write_bytes(path, b"x")

    assert path.read_bytes() == b"x"


def test_the_recipe_comes_last_since_it_makes_a_run_resumable(tmp_path, monkeypatch):
    def refused(recipe, path):
        assert {p.name for p in tmp_path.iterdir()} == {"command.json", "env.json"}
        raise WriteError("full")

    monkeypatch.setattr(_run_folder, "write_fields", refused)

    with pytest.raises(WriteError, match="full"):
        start(tmp_path, Recipe(), Command("a"), {"bit_exact": True})


def test_what_was_asked_is_remembered_and_older_runs_are_named_after_their_data(tmp_path):
    assert read_command(tmp_path, Path("/d/dogs.zip")) == Command("dogs", strict=False)

    start(tmp_path, Recipe(), Command("cats", strict=True), {"bit_exact": True})

    assert read_command(tmp_path, Path("/d/dogs.zip")) == Command("cats", strict=True)

"""`foveal adapt`: the exit codes; what it does is tested with its flow."""

import json

import pytest

from foveal.cli._main import run


@pytest.mark.parametrize(
    ("options", "code", "error"),
    [
        ([], 66, "not_found"),
        (["--method", "entrophy"], 2, "unknown_name"),
        (["--epochs", "3"], 78, "bad_recipe"),
        (["--method", "entropy", "--epochs", "0"], 78, "bad_recipe"),
        (["--setting", "prior=much"], 2, "usage"),
        (["--device", "cuda:0"], 69, "no_device"),
    ],
)
def test_errors_are_one_document(tmp_path, options, code, error, capsys):
    (tmp_path / "run").mkdir()
    arguments = ["adapt", str(tmp_path / "run"), str(tmp_path / "new"), "--out", str(tmp_path / "out")]

    assert run([*arguments, "--json", *options]) == code

    assert json.loads(capsys.readouterr().out)["error"]["code"] == error
    assert not (tmp_path / "out").exists()


def test_without_pictures_it_is_usage(capsys):
    assert run(["adapt", "runs/last"]) == 2

    assert "pictures" in capsys.readouterr().err.lower()

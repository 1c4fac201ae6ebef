"""`foveal export`: the exit codes; what it does is tested with its flow."""

import json

import pytest

from foveal.cli._main import run


@pytest.mark.parametrize(
    ("options", "code", "error"),
    [
        (["--variant", "int8"], 2, "unknown_variant"),
        ([], 66, "not_found"),
        (["--device", "cuda:0"], 69, "no_device"),
    ],
)
def test_errors_are_one_document(tmp_path, options, code, error, capsys):
    arguments = ["export", str(tmp_path), "--out", str(tmp_path / "a.foveal"), "--json", *options]

    assert run(arguments) == code

    assert json.loads(capsys.readouterr().out)["error"]["code"] == error
    assert list(tmp_path.iterdir()) == []


def test_without_a_place_it_is_usage(tmp_path, capsys):
    assert run(["export", str(tmp_path)]) == 2

    assert "--out" in capsys.readouterr().err

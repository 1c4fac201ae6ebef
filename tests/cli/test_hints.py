"""Hints are about what was typed: the option is named, and an example is one that the command takes."""

import json
import re

import pytest
from PIL import Image

from foveal.cli._main import run
from foveal.train import adapting, chosen, pretext


@pytest.fixture
def folder(tmp_path):
    for name in ("red", "blue"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(4):
            Image.new("RGB", (20, 20), name).save(tmp_path / "data" / name / f"{number}.png")
    return tmp_path / "data"


def refused(capsys, *line):
    assert run([*map(str, line), "--json", "-q"]) in (2, 65)
    return json.loads(capsys.readouterr().out)["error"]


@pytest.mark.parametrize(
    ("line", "option"),
    [
        (["fewshot", "teach", "{bundle}", "{data}", "--head", "foo"], "--head"),
        (["fewshot", "train", "{data}", "--method", "foo"], "--method"),
        (["pretrain", "{data}", "--method", "foo"], "--method"),
        (["pretrain", "{data}", "--model", "foo"], "--model"),
        (["train", "{data}", "--model", "foo"], "--model"),
        (["train", "{data}", "--objective", "foo"], "--objective"),
    ],
)
def test_an_unknown_name_is_refused_with_its_option(
    folder, bundle, tmp_path, monkeypatch, capsys, line, option
):
    monkeypatch.chdir(tmp_path)
    names = {"{bundle}": bundle, "{data}": folder}
    error = refused(capsys, *(names.get(word, word) for word in line))
    assert error["code"] == "unknown_name"
    assert "has no 'foo'" in error["message"]
    assert option in error["hint"]


def settings_of_all(module):
    return {key for name in module.methods() for key in module.settings_of(name, {})}


@pytest.mark.parametrize(
    ("line", "known"),
    [
        (["pretrain", "{data}"], lambda: settings_of_all(pretext)),
        (["adapt", "{data}", "{data}"], lambda: settings_of_all(adapting)),
        (
            ["train", "{data}"],
            lambda: {key for name in chosen.offered() for key in chosen.settings_of(name, {})},
        ),
    ],
)
def test_the_example_of_a_setting_is_one_that_the_command_has(folder, capsys, line, known):
    error = refused(capsys, *(folder if word == "{data}" else word for word in line), "--setting", "nothing")
    example = re.fullmatch(r"--setting (\w+)=[\d.]+", error["hint"])
    assert example, error
    assert example[1] in known()


def test_help_names_the_folder_that_is_made(folder, tmp_path, monkeypatch, capsys):
    assert run(["fewshot", "train", "--help"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "runs/fewshot-<n>" in told
    assert "runs/train-" not in told

"""`foveal clip`: from a table on disk to answers, one JSON document each, and errors that say what to do."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from foveal.cli._main import run

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (40, 60, 220)}
TRAIN = ["--size", "16", "--epochs", "12", "--threads", "1", "--setting", "dimensions=16"]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """90 pictures in a folder for each colour, and `pairs.csv` about 60 of them."""
    folder, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    rows = []
    for name, colour in COLOURS.items():
        for part, count in (("train", 20), ("test", 10)):
            (folder / part / name).mkdir(parents=True)
            for number in range(count):
                pixels = np.clip(np.array(colour) + rng.normal(0, 20, (16, 16, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / part / name / f"{number}.png")
                rows.append([f"{part}/{name}/{number}.png", f"something {name}", part])
    with (folder / "pairs.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["path", "text", "split"], *rows])
    return folder


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "r.toml"
    path.write_text('precision = "fp32"\n', "utf-8")
    return path


@pytest.fixture(scope="module")
def trained(pictures, recipe, tmp_path_factory):
    out = tmp_path_factory.mktemp("clip") / "run"
    line = ["clip", "train", str(pictures / "pairs.csv"), *TRAIN, "--recipe", str(recipe)]
    assert run([*line, "--out", str(out), "-q"]) == 0
    return out


def said(capsys, *line):
    code = run([*map(str, line), "--json", "-q"])
    return code, json.loads(capsys.readouterr().out)


def test_every_command_prints_one_document(trained, pictures, tmp_path, capsys):
    prompts = ["--prompts", "something {}"]
    code, evaluated = said(capsys, "clip", "evaluate", trained, pictures / "test", *prompts)
    assert (code, evaluated["schema"], evaluated["action"]) == (0, "foveal.clip/1", "evaluate")
    assert evaluated["metrics"]["accuracy"]["low"] > evaluated["metrics"]["chance"]
    assert evaluated["metrics"]["accuracy"]["n"] == 30

    code, retrieved = said(capsys, "clip", "evaluate", trained, pictures / "pairs.csv")
    assert (code, retrieved["kind"], retrieved["part"]) == (0, "retrieval", "test")
    assert retrieved["metrics"]["texts"] == retrieved["metrics"]["texts_learned"] == 3

    one = pictures / "test" / "red" / "0.png"
    code, answered = said(capsys, "clip", "classify", trained, one, "--classes", "red, blue", *prompts)
    assert (code, answered["predictions"][0]["label"]) == (0, "red")
    assert set(answered["predictions"][0]["scores"]) == {"red", "blue"}

    out = tmp_path / "colours.foveal"
    code, sealed = said(capsys, "clip", "export", trained, pictures / "test", "--out", out, *prompts)
    assert (code, sealed["ok"], sealed["bundle"]) == (0, True, str(out))
    code, predicted = said(capsys, "predict", out, one)
    assert (code, predicted["predictions"][0]["label"]) == (0, "red")


def test_people_are_told_the_same(trained, pictures, capsys):
    assert run(["clip", "evaluate", str(trained), str(pictures / "pairs.csv"), "-q"]) == 0
    assert "the text of a picture, first: " in capsys.readouterr().out
    one = str(pictures / "test" / "red" / "0.png")
    assert run(["clip", "classify", str(trained), one, "--classes", "red,blue", "-q"]) == 0
    assert "shares are not calibrated" in capsys.readouterr().out


def test_a_finished_run_is_resumed_without_learning_again(trained, pictures, capsys):
    before = (trained / "model" / "weights.safetensors").read_bytes()

    code, document = said(capsys, "clip", "train", pictures / "pairs.csv", "--resume", trained)

    assert (code, document["resumed_from"]) == (0, document["plan"]["steps"])
    assert (trained / "model" / "weights.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    ("line", "code", "error", "told"),
    [
        (["train", "gone.csv"], 66, "not_found", "gone.csv does not exist"),
        (["train", "empty.csv"], 65, "bad_pairs", "there is no column 'text'"),
        (["train", "{pairs}", "--model", "knn"], 78, "wrong_model", "knn is no image encoder"),
        (["train", "{pairs}", "--resume", "{run}", "--size", "32"], 2, "usage", "only --threads may change"),
        (["train", "{pairs}", "--out", "{run}"], 73, "cannot_write", "it holds a run"),
        (["classify", "{run}", "{one}", "--classes", "red"], 2, "bad_classes", "two or more classes"),
        (["classify", "{run}", "empty.csv", "--classes", "red,blue"], 65, None, None),
        (["evaluate", "{run}", "{train}"], 65, "trained_on", "60 of 60 pictures were learned from"),
        (["evaluate", "{run}", "empty.csv"], 65, "bad_pairs", "there is no column 'text'"),
        (["evaluate", "{run}", "other.csv"], 65, "unknown_layout", "other.csv"),
        (["evaluate", "{train}", "{train}"], 66, "not_found", "is no finished run of foveal clip"),
        (["convert", "{train}", "--out", "new"], 66, "not_found", "has no config.json"),
    ],
)
def test_errors_have_their_code_and_say_what_to_do(
    trained, pictures, tmp_path, monkeypatch, capsys, line, code, error, told
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.csv").write_text("path,caption\n", "utf-8")
    (tmp_path / "other.csv").write_text("image,caption\n", "utf-8")
    names = {
        "{pairs}": pictures / "pairs.csv",
        "{run}": trained,
        "{one}": pictures / "test" / "red" / "0.png",
        "{train}": pictures / "train",
    }

    found, document = said(capsys, "clip", *(names.get(word, word) for word in line))

    assert found == code
    assert document["ok"] is False
    if error is None:
        assert document["predictions"][0]["error"]["code"] == "not_image"
    else:
        assert document["error"]["code"] == error
        assert told in document["error"]["message"]

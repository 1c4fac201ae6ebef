"""`foveal models`: the list, and what one of them costs."""

import json

import pytest

from foveal.bundle.bandwidth import Level
from foveal.bundle.roofline import Peak, Roofline
from foveal.cli._main import run
from foveal.flows import model_cost


@pytest.fixture
def known_machine(monkeypatch):
    levels = (Level("memory", 2, None, 10e9, 0.0),)
    found = Roofline((Peak("fp32", 2, "an engine", 100e9, 0.25, 9),), levels)
    monkeypatch.setattr(model_cost, "roofline", lambda: found)


def test_the_list_names_all_with_their_parameters(capsys):
    assert run(["models", "--json", "--classes", "1000", "--size", "224"]) == 0

    said = capsys.readouterr()
    rows = {row["name"]: row for row in json.loads(said.out)["models"]}
    assert f"counting parameters {len(rows) - 1}/{len(rows) - 1}" in said.err
    assert rows["resnet101"]["parameters"] == 44_549_160
    assert rows["svm-hog"]["parameters"] is None


def test_people_read_what_one_costs(known_machine, capsys):
    assert run(["models", "--cost", "resnet101", "--size", "224", "--classes", "1000"]) == 0

    out = capsys.readouterr().out
    assert "44,549,160 parameters, 7.801 G multiply-adds, weights 179 MB" in out
    assert "fp32 with 2 threads: at least 78 ms, layer by layer " in out
    assert "the median took up to 25% longer" in out


def test_json_is_one_document(known_machine, capsys):
    assert run(["models", "--cost", "mobilenet_v2", "--json"]) == 0

    document = json.loads(capsys.readouterr().out)
    assert document["cost"]["name"] == "mobilenet-v2"
    assert document["roofline"]["bounds"][0]["threads"] == 2


@pytest.mark.parametrize(
    ("options", "said"), [(["--cost", "knn"], "follows from the pictures"), (["--cost", "nanoo"], "nano")]
)
def test_what_cannot_be_counted_is_a_usage_error(options, said, capsys):
    assert run(["models", *options]) == 2

    assert said in capsys.readouterr().err

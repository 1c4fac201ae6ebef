"""Each family learns boxes and ships by the same command; what it finds, train.scenes.test_families asks."""

from pathlib import Path

import pytest

import scenes
from foveal import models
from foveal.core import catalog
from foveal.flows.evaluate import evaluate
from foveal.flows.train import train
from foveal.models import detectors
from foveal.train.recipe import Recipe

# All that learn boxes and need no weights to start from, but `point`.
FAMILIES = [
    name
    for name in catalog.names(detectors)
    if models.card(name).task == "detect" and models.architecture(name).reads is None and name != "point"
]
QUICK = ("faster_rcnn", "query")
marked = [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.families]) for name in FAMILIES]


@pytest.mark.parametrize("name", marked)
def test_a_family_learns_ships_and_is_measured_as_every_other_one(name: str, tmp_path: Path) -> None:
    data = scenes.write_voc(tmp_path / "data", count=32)
    recipe = Recipe(model=name, epochs=1, threads=1, precision="fp32")

    result = train(data, recipe=recipe, out=tmp_path / "run")

    assert result.document["ok"]
    assert (result.document["task"], result.document["model"]) == ("detect", catalog.spoken(name))
    assert result.document["parity"]["clear_flips"] == 0
    assert evaluate(result.run, data).report.as_json()["metrics"] == result.evaluation["metrics"]

"""The main job with a network of the user's own: whole, resumable, and never from a name in a file."""

import functools
import json

import pytest
import torch
from torch import nn

import foveal
from foveal.core.errors import DataError, UsageError
from foveal.models import Architecture, Settings
from foveal.tasks import recognizer as recognizers
from foveal.train.recipe import Recipe, read_recipe

ME = __name__


def colors_net(*, channels, classes, size, width=8):
    maps = nn.Sequential(nn.Conv2d(channels, width, 3, padding=1), nn.GELU(), nn.AdaptiveAvgPool2d(2))
    return nn.Sequential(maps, nn.Flatten(), nn.Linear(4 * width, classes))


def other_net(*, channels, classes, size):
    return colors_net(channels=channels, classes=classes, size=size)


RECIPE = Recipe(model=colors_net, epochs=60, size=16, precision="fp32", threads=1, augment="none")


@pytest.fixture(scope="module")
def own(colors, tmp_path_factory):
    return foveal.learn(colors, recipe=RECIPE, out=tmp_path_factory.mktemp("own") / "run")


def test_the_whole_job_is_done(own):
    assert own.document["ok"]
    assert own.document["model"] == f"{ME}:colors_net"
    assert own.document["plan"]["optimizer"] == "adam"
    assert own.document["metrics"]["test"]["accuracy"]["value"] > 0.9
    assert own.report.is_file()
    assert foveal.load(own.run).manifest.model.name == f"{ME}:colors_net"


def test_the_run_holds_names_and_weights_but_no_code(own):
    structure = json.loads((own.run / "model" / "structure.json").read_text())

    assert structure["architecture"] == f"{ME}:colors_net"
    assert read_recipe(own.run / "recipe.toml").model == f"{ME}:colors_net"


def test_the_weights_are_loaded_with_the_builder_and_not_without(own):
    back = recognizers.load(own.run / "model", builder=colors_net)

    assert back.classes == ("blue", "green", "red")
    with pytest.raises(UsageError, match="only your program can build it") as caught:
        recognizers.load(own.run / "model")
    assert caught.value.code == "own_model"


def test_weights_of_another_network_do_not_fit(own):
    with pytest.raises(DataError, match="holds no readable model"):
        recognizers.load(own.run / "model", builder=lambda *, channels, classes, size: nn.Linear(2, 2))


def test_killed_and_resumed_it_ends_in_the_same_weights(own, colors, tmp_path, stopped_at):
    run = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        foveal.learn(colors, recipe=RECIPE, out=run, progress=stopped_at("train", 0.5))

    again = foveal.resume(run, colors, model=colors_net)

    assert again.document["resumed_from"] > 0
    for model in (own.run, run):
        assert (model / "model" / "weights.safetensors").is_file()
    one, other = (
        recognizers.load(r / "model", builder=colors_net).network.state_dict() for r in (own.run, run)
    )
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_resume_without_the_builder_or_with_another_one_is_refused(own, colors):
    with pytest.raises(UsageError, match="only that program can build it"):
        foveal.resume(own.run, colors)
    with pytest.raises(UsageError, match=r"was started with .*:colors_net, not with .*:other_net") as caught:
        foveal.resume(own.run, colors, model=other_net)
    assert caught.value.code == "other_network"


@pytest.mark.parametrize(
    ("begun", "given"),
    [
        (Architecture(colors_net, settings=Settings("muon", 0.1)), colors_net),
        (functools.partial(colors_net, width=16), colors_net),
        (functools.partial(colors_net, width=16), functools.partial(colors_net, width=8)),
    ],
)
def test_a_builder_with_other_arguments_or_settings_is_refused_also_before_there_is_a_plan(
    colors, tmp_path, stopped_at, begun, given
):
    run = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        foveal.learn(colors, recipe=RECIPE.changed(model=begun), out=run, progress=stopped_at("warm-up"))
    assert not (run / "plan.json").exists()

    with pytest.raises(UsageError, match="other arguments or settings") as caught:
        foveal.resume(run, colors, model=given)

    assert caught.value.code == "other_network"
    assert foveal.resume(run, colors, model=begun).document["ok"]


def test_a_builder_that_has_changed_since_is_refused(colors, tmp_path, stopped_at, monkeypatch):
    run = tmp_path / "run"
    width = [8]

    def changing(*, channels, classes, size):
        return nn.Sequential(nn.Conv2d(channels, width[0], 16), nn.Flatten(), nn.Linear(width[0], classes))

    with pytest.raises(KeyboardInterrupt):
        foveal.learn(
            colors, recipe=RECIPE.changed(model=changing), out=run, progress=stopped_at("train", 0.1)
        )
    width[0] = 9

    with pytest.raises(DataError, match="makes another network now") as caught:
        foveal.resume(run, colors, model=changing)
    assert caught.value.code == "other_network"


def test_a_network_that_cannot_ship_is_refused_before_it_is_trained(colors, tmp_path):
    def wrong(*, channels, classes, size):
        return nn.Sequential(nn.Flatten(), nn.Linear(channels * size**2, classes + 1))

    trained = []
    with pytest.raises(UsageError, match=r"gives \(4, 4\), not logits \(4, 3\)"):
        foveal.learn(
            colors,
            recipe=RECIPE.changed(model=wrong),
            out=tmp_path / "run",
            progress=lambda stage, *_: trained.append(stage),
        )

    assert not {"warm-up", "train"} & set(trained)
    assert not (tmp_path / "run").exists()

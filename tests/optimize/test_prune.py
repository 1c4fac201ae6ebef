"""optimize.steps: prune and recalibrated; and what a pruned recognizer can still do."""

import json

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from foveal.core.errors import DataError, UnknownNameError, UsageError
from foveal.data.preprocess import Preprocess
from foveal.export.graph import graph
from foveal.optimize.channels import groups
from foveal.optimize.channels.removal import parameters_left
from foveal.optimize.steps.prune import kept_units, prune, to_parameters
from foveal.optimize.steps.recalibrated import recalibrated
from foveal.tasks.classify import learn
from foveal.tasks.layers import rebuilt
from foveal.tasks.recognizer import Recognizer, build, load, save

ARGUMENTS = {"channels": 3, "classes": 5, "size": 16, "widths": [16, 24, 32]}
PREPROCESS = Preprocess(size=16, channels=3, mean=(0.4, 0.5, 0.6), std=(0.2, 0.2, 0.2))
IMAGES = np.random.default_rng(0).integers(0, 256, (9, 16, 16, 3), dtype=np.uint8)


@pytest.fixture
def recognizer(randomized):
    torch.manual_seed(0)
    network = randomized(build("nano", ARGUMENTS), 16)
    return Recognizer(network, "nano", ARGUMENTS, PREPROCESS, tuple("abcde"))


def found(recognizer):
    return groups(recognizer.network, channels=3, size=16)


def size(recognizer):
    return sum(p.numel() for p in recognizer.network.parameters())


def test_a_pruned_recognizer_is_saved_pruned_again_and_exported(recognizer, tmp_path):
    before = recognizer.logits(IMAGES)
    smaller = prune(recognizer, 0.5)
    save(smaller, tmp_path)
    back = load(tmp_path)

    assert size(smaller) < size(recognizer) / 2
    assert np.array_equal(recognizer.logits(IMAGES), before), "the given one is left alone"
    assert np.array_equal(back.logits(IMAGES), smaller.logits(IMAGES))
    assert not back.network.training
    assert not back.network.whiten.weight.requires_grad, "what is not learned stays so"
    (logits,) = onnxruntime.InferenceSession(graph(back)).run(["logits"], {"images": IMAGES})
    np.testing.assert_allclose(logits, smaller.logits(IMAGES), atol=1e-4)
    again, direct = prune(back, {"stages.2.enter": 3}), prune(smaller, {"stages.2.enter": 3})
    assert again.network.head.in_features == 3
    assert np.array_equal(again.logits(IMAGES), direct.logits(IMAGES))
    weights = {name: value + 1 for name, value in again.network.state_dict().items()}
    assert not np.array_equal(again.with_weights(weights).logits(IMAGES), again.logits(IMAGES))


def test_a_network_as_its_builder_makes_it_is_saved_as_before(recognizer, tmp_path):
    save(recognizer, tmp_path)

    assert "layers" not in json.loads((tmp_path / "structure.json").read_text(encoding="utf-8"))


def test_the_most_important_units_stay(recognizer):
    with torch.no_grad():
        for name in ("whiten", "stages.0.enter"):
            recognizer.network.get_submodule(name).weight[[2, 5]] *= 1000

    smaller = prune(recognizer, {"whiten": 2})

    kept = recognizer.network.whiten.weight[[2, 5]]
    assert torch.equal(smaller.network.whiten.weight, kept)
    assert smaller.network.stages[0].enter.weight.shape == (16, 2, 3, 3)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 0.7, 0.9])
def test_as_many_parameters_go_as_were_asked_for(recognizer, share):
    kept = to_parameters(recognizer.network, found(recognizer), share, round_to=1)
    smaller = prune(recognizer, kept)

    assert size(smaller) == parameters_left(recognizer.network, found(recognizer), kept)
    assert 0.85 * (1 - share) < size(smaller) / size(recognizer) <= 1 - share


def test_what_cannot_go_is_refused(recognizer):
    with pytest.raises(UsageError, match="cannot go") as refused:
        to_parameters(recognizer.network, found(recognizer), 0.99, round_to=16)
    assert refused.value.code == "too_small"


@pytest.mark.parametrize("keep", [0.0, 1.5, {"whiten": 0}, {"whiten": 25}, {"whiten": -0.5}, float("nan")])
def test_a_group_is_neither_emptied_nor_grown(recognizer, keep):
    with pytest.raises(UsageError, match="cannot keep"):
        prune(recognizer, keep)
    with pytest.raises(UnknownNameError):
        prune(recognizer, {"whitten": 1})
    with pytest.raises(UnknownNameError):
        prune(recognizer, 0.5, importance="luck")


@pytest.mark.parametrize("share", [1e-6, 0.3, 0.5, 0.8, 1.0])
def test_shares_are_rounded_but_a_group_stays(recognizer, share):
    for group in found(recognizer):
        count = kept_units([group], share, round_to=8)[group.name]
        assert count % 8 == 0
        assert 8 <= count <= len(group)
        assert abs(count - share * len(group)) <= 4 or count == 8


def test_statistics_are_those_of_all_pictures_whatever_the_batch(recognizer):
    def first(of):
        return of.network.stages[0].enter_norm

    before = {name: value.clone() for name, value in recognizer.network.state_dict().items()}
    with torch.no_grad():
        seen = learn.normalize(torch.from_numpy(IMAGES), PREPROCESS)
        stage = recognizer.network.stages[0]
        entered = torch.max_pool2d(stage.enter(recognizer.network.stem(recognizer.network.whiten(seen))), 2)

    whole, parts = recalibrated(recognizer, IMAGES), recalibrated(recognizer, IMAGES, batch=2)

    torch.testing.assert_close(first(whole).running_mean, entered.mean((0, 2, 3)))
    torch.testing.assert_close(first(whole).running_var, entered.var((0, 2, 3)))
    torch.testing.assert_close(first(parts).running_mean, entered.mean((0, 2, 3)), rtol=1e-4, atol=1e-5)
    for name, value in whole.network.state_dict().items():
        if "running" not in name:
            assert torch.equal(value, before[name]), name
    assert all(torch.equal(v, before[n]) for n, v in recognizer.network.state_dict().items())
    assert first(whole).momentum == first(recognizer).momentum
    assert not any(module.training for module in whole.network.modules())
    with pytest.raises(UsageError, match="two pictures"):
        recalibrated(recognizer, IMAGES[:1])


DAMAGE = {
    "kind": ("whiten", {"kind": "os.system"}),
    "missing layer": ("nowhere", {"kind": "Identity"}),
    "root": ("", {"kind": "Identity"}),
    "more": ("head", {"kind": "Identity", "device": "cuda"}),
    "huge": ("head", {"kind": "Linear", "in_features": 1 << 30, "out_features": 5, "bias": True}),
    "large": ("head", {"kind": "Linear", "in_features": 1 << 23, "out_features": 1 << 23, "bias": True}),
    "text": ("head", {"kind": "Linear", "in_features": "8", "out_features": 5, "bias": True}),
    "truth": ("head", {"kind": "Linear", "in_features": True, "out_features": 5, "bias": True}),
    "no list": ("head", 7),
    "inner": ("head", [{"kind": "Identity"}, None]),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_structure_that_somebody_changed_is_refused(recognizer, tmp_path, how):
    save(prune(recognizer, 0.5), tmp_path)
    path = tmp_path / "structure.json"
    structure = json.loads(path.read_text(encoding="utf-8"))
    name, told = DAMAGE[how]
    structure["layers"][name] = told
    path.write_text(json.dumps(structure), encoding="utf-8")

    with pytest.raises(DataError, match="holds no readable model"):
        load(tmp_path)


def test_a_layer_takes_no_memory_that_the_weights_do_not_account_for():
    told = {"kind": "Linear", "in_features": 1 << 14, "out_features": 1 << 13, "bias": False}

    with pytest.raises(ValueError, match="is not of shape"):
        rebuilt(build("nano", ARGUMENTS), {"head": told}, {"head.weight": torch.zeros(5, 32)})


def test_layers_that_are_no_table_are_refused(recognizer, tmp_path):
    save(recognizer, tmp_path)
    path = tmp_path / "structure.json"
    structure = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**structure, "layers": [1]}), encoding="utf-8")

    with pytest.raises(DataError, match="told by name"):
        load(tmp_path)


def test_a_layer_in_two_is_saved_too(recognizer, tmp_path):
    recognizer.network.head = nn.Sequential(nn.Linear(32, 4, bias=False), nn.Linear(4, 5)).eval()
    recognizer.network.stages[2].refine = nn.Sequential(
        nn.Conv2d(32, 6, (3, 1), padding=(1, 0), bias=False), nn.Conv2d(6, 32, (1, 3), padding=(0, 1))
    )
    recognizer.network.stages[1].enter_norm = nn.Identity()

    save(recognizer, tmp_path)

    assert np.array_equal(load(tmp_path).logits(IMAGES), recognizer.logits(IMAGES))
    told = json.loads((tmp_path / "structure.json").read_text(encoding="utf-8"))["layers"]
    assert set(told) == {"head", "stages.2.refine", "stages.1.enter_norm"}


def test_a_layer_of_another_kind_cannot_be_saved(recognizer, tmp_path):
    recognizer.network.head = nn.Bilinear(32, 32, 5)

    with pytest.raises(UsageError, match="head is a Bilinear") as refused:
        save(recognizer, tmp_path / "model")
    assert refused.value.code == "unknown_layer"
    assert not (tmp_path / "model").exists()

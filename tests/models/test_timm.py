"""`timm:NAME`: any of timm's, by a name that is nobody's own, untrained, for sizes that it takes."""

import subprocess
import sys

import pytest
import torch

from foveal import models
from foveal.core.errors import UnknownNameError, UsageError
from foveal.models import _timm
from foveal.models._timm import build
from foveal.tasks import recognizer as recognizers
from foveal.train.recipe import Recipe, read_recipe, write_recipe

NAME = "timm:test_resnet"  # of a few hundred thousand parameters, made for tests


def test_a_name_is_nobody_s_own_and_has_a_card_and_settings():
    found = models.architecture(NAME)

    assert (found.name, found.is_own, found.is_tested) == (NAME, False, False)
    assert models.is_known(NAME)
    assert not models.is_known("timm:nothing")
    assert models.card(NAME).kind == "network"
    assert found.settings.optimizer == "adam"
    assert not models.is_own(NAME)
    assert models.is_own("timm.models:resnet10t"), "a builder of a module in timm is a user's"


def test_a_recipe_keeps_the_name(tmp_path):
    write_recipe(Recipe(model=NAME), tmp_path / "recipe.toml")

    assert read_recipe(tmp_path / "recipe.toml").architecture.name == NAME


@pytest.mark.parametrize(("channels", "size"), [(1, 32), (3, 64), (5, 224)])
def test_it_is_built_for_channels_classes_and_size(channels, size):
    network = models.architecture(NAME)(channels=channels, classes=4, size=size).eval()

    assert network(torch.zeros(2, channels, size, size)).shape == (2, 4)


def test_a_transformer_is_built_for_the_size():
    network = models.architecture("timm:test_vit")(channels=3, classes=4, size=64).eval()

    assert network(torch.zeros(2, 3, 64, 64)).shape == (2, 4)


def test_an_unknown_name_comes_with_near_ones_and_not_with_a_thousand():
    with pytest.raises(UnknownNameError, match="did you mean 'resnet10t'") as caught:
        models.architecture("timm:resnet10tt")

    assert len(caught.value.known) <= 5
    assert f"a few of {len(_timm.names())}" in str(caught.value.hint)


def test_a_tag_of_weights_leads_to_the_architecture():
    with pytest.raises(UnknownNameError, match="It has: resnet10t"):
        models.architecture("timm:resnet10t.c3_in1k")


def test_a_size_that_it_cannot_take_is_refused_with_those_that_it_can():
    with pytest.raises(UsageError, match=r"takes no pictures of 100 × 100 pixels") as caught:
        build(channels=3, classes=4, size=100, name="test_vit")

    assert caught.value.code == "wrong_size"
    assert caught.value.hint.startswith("--size 96;")
    assert "224" in caught.value.hint


def test_saved_and_loaded_it_answers_alike(tmp_path, train):
    made = train(NAME, images=32, steps=2)[2]

    recognizers.save(made, tmp_path)

    loaded = recognizers.load(tmp_path)
    images = torch.randn(3, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(loaded.network(images), made.network(images))
    assert loaded.architecture == NAME


def test_timm_is_imported_only_for_its_own():
    code = (
        "import sys; from foveal import models; models.names(); models.card('vit_tiny'); "
        "models.card('timm:test_resnet'); "
        "models.architecture('resnet18')(channels=3, classes=2, size=32); "
        "assert 'timm' not in sys.modules; models.architecture('timm:test_resnet'); "
        "assert 'timm' in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", ["nope", "", "xyzzy-qwerty"])
def test_a_name_like_none_still_names_some(name: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        _timm.check_name(name)

    assert set(caught.value.known) <= _timm.names()
    assert caught.value.known

"""An architecture by name or from a user: what it is called, and that no name is ever turned into code."""

import functools

import pytest
from torch import nn

from foveal.core.errors import UnknownNameError, UsageError
from foveal.models import Architecture, Settings, architecture
from foveal.train.recipe import Recipe, read_recipe, write_recipe


def linear(*, channels, classes, size, scale=1.0):
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * size**2, classes))


class Maker:
    def __call__(self, *, channels, classes, size):
        return linear(channels=channels, classes=classes, size=size)


def test_a_named_one_brings_its_settings_and_sizes():
    found = architecture("nano")

    assert (found.name, found.is_own, found.smallest_size) == ("nano", False, 16)
    assert found.settings == Settings()
    assert len(found.variants(32)) == 3
    assert architecture("resnet18").settings.batch_size < found.settings.batch_size


@pytest.mark.parametrize(
    ("builder", "name"),
    [(linear, "linear"), (functools.partial(linear, scale=2.0), "linear"), (Maker(), "Maker")],
)
def test_a_builder_is_called_by_its_module_and_qualified_name(builder, name):
    found = architecture(builder)

    assert found.name == f"{__name__}:{name}"
    assert found.is_own
    assert found.settings.optimizer == "adam", "nothing is known about what normalizes it"
    assert isinstance(found(channels=1, classes=2, size=4), nn.Module)


def test_settings_of_a_builder_may_be_given():
    own = Architecture(linear, settings=Settings(learning_rate=0.5))

    assert architecture(own) is own
    assert Recipe(model=own).architecture.settings.learning_rate == 0.5


def test_a_name_of_somebodys_builder_is_never_looked_up():
    with pytest.raises(UsageError, match="only that program can build it") as caught:
        architecture("os:system")

    assert caught.value.code == "own_model"


def test_an_unknown_name_and_no_builder_are_refused():
    with pytest.raises(UnknownNameError, match="did you mean 'resnet18'"):
        architecture("resnet8")
    with pytest.raises(UsageError, match="a model is a name or a builder; got int"):
        architecture(7)


def test_a_recipe_keeps_a_builder_and_its_file_the_name_of_it(tmp_path):
    recipe = Recipe(model=linear).changed(epochs=3)

    write_recipe(recipe, tmp_path / "recipe.toml")

    assert recipe.architecture.build is linear
    assert read_recipe(tmp_path / "recipe.toml").model == f"{__name__}:linear"

"""optimize.steps.at_size: weights stay, norms fit the new pictures, and what is saved loads again."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from foveal.core.errors import UsageError
from foveal.models._cost import macs
from foveal.optimize.steps.at_size import at_size, taking
from foveal.optimize.steps.recalibrated import recalibrated
from foveal.tasks import recognizer as recognizers
from foveal.tasks.classify import learn
from foveal.tasks.recognizer import Recognizer, build


def noise(size, count=24):
    return np.random.default_rng(size).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


class OfOneSize(nn.Module):
    """Its last layer counts the places of a picture."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.head = nn.Linear(3 * size * size, 6)

    def forward(self, images):
        return self.head(images.flatten(1))


@pytest.fixture
def large(nano):
    """A nano for 64 pixels: its builder makes another network for 24."""
    torch.manual_seed(0)
    arguments = {"channels": 3, "classes": 6, "size": 64, "widths": [8, 16, 16]}
    preprocess = nano.preprocess.model_copy(update={"size": 64})
    return replace(nano, network=build("nano", arguments).eval(), arguments=arguments, preprocess=preprocess)


def test_only_the_size_and_the_statistics_of_norms_change(large) -> None:
    before = {name: one.clone() for name, one in large.network.state_dict().items()}

    made = at_size(large, 24, noise(24))

    assert made.preprocess == large.preprocess.model_copy(update={"size": 24})
    assert (made.classes, made.architecture, made.arguments) == (
        large.classes,
        large.architecture,
        large.arguments,
    )
    changed = {n for n, one in made.network.state_dict().items() if not torch.equal(one, before[n])}
    assert changed
    assert all("running" in name for name in changed)
    assert all(torch.equal(one, before[name]) for name, one in large.network.state_dict().items())


def test_it_answers_as_the_network_does_when_its_norms_are_set_by_the_small_pictures(large) -> None:
    shown, asked = noise(24), noise(24)[:5]

    made = at_size(large, 24, shown)

    norms = recalibrated(replace(large, preprocess=made.preprocess), shown).network
    with torch.no_grad():
        expected = norms(learn.normalize(torch.from_numpy(asked), large.preprocess)).numpy()
    np.testing.assert_array_equal(made.logits(asked), expected)


def test_it_saves_and_loads_though_its_builder_makes_another_network_for_that_size(large, tmp_path) -> None:
    made = at_size(large, 24, noise(24))
    other = build("nano", {**large.arguments, "size": 24})
    other.load_state_dict(made.network.state_dict())
    asked = learn.normalize(torch.from_numpy(noise(24)), made.preprocess)
    with torch.no_grad():
        assert not torch.equal(other.eval()(asked), made.network(asked)), "else this test shows nothing"

    recognizers.save(made, tmp_path)
    loaded = recognizers.load(tmp_path)

    assert loaded.preprocess.size == 24
    np.testing.assert_array_equal(loaded.logits(noise(24)), made.logits(noise(24)))
    assert loaded.cost().macs == macs(large.network, torch.zeros(1, 3, 24, 24))


def test_what_follows_from_the_size_of_pictures_is_there_when_it_is_loaded(nano, tmp_path) -> None:
    torch.manual_seed(0)
    arguments = {"channels": 3, "classes": 6, "size": [96, 96], "widths": [8, 8, 8, 8], "tower": 8}
    preprocess = nano.preprocess.model_copy(update={"size": 96})
    large = Recognizer(
        build("faster_rcnn", arguments).eval(), "faster_rcnn", arguments, preprocess, nano.classes, "detect"
    )
    before = large.network.starts.clone()

    made = taking(large, 64)

    built = build("faster_rcnn", {**arguments, "size": [64, 64]})
    assert made.network.starts.equal(built.starts)
    assert large.network.starts.equal(before)
    recognizers.save(made, tmp_path)
    assert recognizers.load(tmp_path).network.starts.equal(built.starts)


def test_a_network_that_counts_places_is_refused(nano) -> None:
    fixed = replace(nano, network=OfOneSize(16), architecture="own")

    assert taking(fixed, 16).preprocess.size == 16
    with pytest.raises(UsageError) as caught:
        at_size(fixed, 8, noise(8))
    assert caught.value.code == "fixed_size"


def test_pictures_of_another_size_are_refused(nano) -> None:
    with pytest.raises(UsageError, match="24×24 pixels; got 16×16"):
        at_size(nano, 24, noise(16))

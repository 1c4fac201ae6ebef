"""optimize.families: whatever a family makes runs, is as large as it says, and comes out the same again."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from foveal.core import catalog
from foveal.models._cost import macs
from foveal.optimize import candidate, families
from foveal.optimize.candidate import Start, found
from foveal.optimize.channels import groups
from foveal.optimize.channels.removal import macs_left
from foveal.optimize.families import uneven
from foveal.optimize.families.low_rank import low_rank
from foveal.optimize.families.pruned import pruned
from foveal.optimize.families.slimmer import slimmer
from foveal.optimize.scored_units import Units, scored
from foveal.tasks import recognizer as recognizers
from foveal.tasks.recognizer import Recognizer, build


def macs_of(recognizer: Recognizer) -> int:
    return macs(recognizer.network, recognizer.blank)


@pytest.fixture(scope="module")
def start(nano, pictures):
    arguments = {"channels": 3, "classes": 6, "size": 16, "widths": [8, 16, 16]}
    original = Recognizer(nano.network, "nano", arguments, nano.preprocess, nano.classes)
    return Start(original, pictures[:64], macs_of(original), seconds=600.0)


@pytest.fixture(scope="module")
def all_found(start):
    return found(start)[0]


@pytest.mark.parametrize("name", catalog.names(families))
def test_candidates_are_what_they_say(name, start, tmp_path) -> None:
    for one in catalog.find(families, name)(start)[-2:]:
        made = one.make()

        assert macs_of(made) == one.macs
        assert sum(p.numel() for p in made.network.parameters()) == one.parameters
        assert one.steps[0] == one.name
        assert made.logits(start.shown[:2]).shape == (2, 6)
        recognizers.save(made, tmp_path / one.name)
        again = recognizers.load(tmp_path / one.name)
        np.testing.assert_array_equal(again.logits(start.shown[:2]), one.make().logits(start.shown[:2]))


def test_names_differ_and_the_largest_comes_first(all_found) -> None:
    assert len({one.name for one in all_found}) == len(all_found)
    assert [one.macs for one in all_found] == sorted((one.macs for one in all_found), reverse=True)


def test_those_that_inherit_know_something_and_fresh_ones_nothing(start, all_found, test_set) -> None:
    images, labels = test_set
    accuracy = {
        one.name: float((one.make().logits(images).argmax(axis=1) == labels).mean())
        for one in all_found
        if one.name in ("pruned-30", "uneven-65", "nano-16-32-64")
    }

    assert min(accuracy["pruned-30"], accuracy["uneven-65"]) > 0.4
    assert accuracy["nano-16-32-64"] < 0.4


def test_multiply_adds_that_are_left_are_those_of_the_smaller_network(start) -> None:
    network = start.original.network
    units = groups(network, channels=3, size=16)
    scores = tuple(np.arange(len(group), dtype=float) for group in units)
    counts = {group.name: max(1, len(group) // 2) for group in units}

    made = uneven.cut(start.original, units, scores, counts)

    places = uneven._places(start.original)
    assert macs_left(network, units, {}, places) == start.macs
    assert macs_left(network, units, counts, places) == macs_of(made)


def test_channels_go_where_they_do_no_damage(start, monkeypatch) -> None:
    """With a group whose loss costs nothing, all is taken from it before the others lose anything."""
    made = groups(start.original.network, channels=3, size=16)
    units = Units(made, tuple(np.arange(len(group), dtype=float) for group in made))
    widths = [[len(group), len(group) // 2] for group in made]
    free = len(made) - 1
    damages = [[0.0, 0.0 if at == free else 1.0] for at in range(len(made))]
    places = uneven._places(start.original)
    least = {made[free].name: len(made[free]) // 2}
    target = macs_left(start.original.network, made, least, places) / start.macs

    counts = uneven._solved(start, units, widths, damages, target)

    assert counts == {group.name: least.get(group.name, len(group)) for group in made}


def test_what_units_count_is_asked_once_for_all_families(start, monkeypatch) -> None:
    asked = []

    def noted(recognizer, images):
        asked.append(len(images))
        return scored(recognizer, images)

    monkeypatch.setattr(candidate, "scored", noted)
    own = replace(start, seconds=1e-6)

    assert pruned(own)
    uneven.uneven(own)

    assert asked == [64], "all that are shown, for fewer say too little"


def test_no_time_no_uneven_widths(start) -> None:
    short = Start(start.original, start.shown, start.macs, seconds=0.0)

    assert uneven.uneven(short) == []


def test_layers_of_full_rank_are_left_alone_and_those_of_little_rank_are_not(start) -> None:
    weight = start.original.network.stages[2].refine.weight
    assert low_rank(start) == []

    thin = Recognizer(
        build("nano", {**start.original.arguments, "widths": [32, 32, 32]}).eval(),
        "nano",
        {**start.original.arguments, "widths": [32, 32, 32]},
        start.original.preprocess,
        start.original.classes,
    )
    with torch.no_grad():
        for name, parameter in thin.network.named_parameters():
            if parameter.ndim == 4 and not name.startswith("whiten"):
                rows = parameter.flatten(1)
                parameter.copy_((rows[:, :2] @ torch.randn(2, rows.shape[1])).view_as(parameter))
    made = low_rank(Start(thin, start.shown, macs_of(thin)))

    assert [one.name for one in made] == ["low-rank-50", "low-rank-30"]
    assert all(one.macs <= 0.75 * macs_of(thin) and one.kind == "nano factored" for one in made)
    answers, truth = made[-1].make().logits(start.shown), thin.logits(start.shown)
    assert answers.shape == truth.shape
    assert weight is start.original.network.stages[2].refine.weight


def test_an_architecture_is_tried_in_its_smaller_sizes(start) -> None:
    arguments = {"channels": 3, "classes": 6, "size": 32}
    preprocess = start.original.preprocess.model_copy(update={"size": 32})
    original = Recognizer(
        build("mobilenet_v2", arguments).eval(), "mobilenet_v2", arguments, preprocess, tuple("abcdef")
    )

    made = slimmer(Start(original, np.zeros((2, 32, 32, 3), np.uint8), macs_of(original)))

    names = [one.name for one in made]
    assert "mobilenet-v2-width-0.5" in names
    assert "mobilenet-v2-stem-stride-2" in names
    assert all(one.macs < macs_of(original) and not one.inherits for one in made)
    assert slimmer(start) == [], "narrow has the widths of a nano"


def test_a_wider_or_narrower_mobilenet_has_multiples_of_eight_channels() -> None:
    whole, half = (
        build("mobilenet_v2", {"channels": 3, "classes": 4, "size": 32, "width": width})
        for width in (1.0, 0.5)
    )
    same = build("mobilenet_v2", {"channels": 3, "classes": 4, "size": 32})

    assert [p.shape for p in whole.parameters()] == [p.shape for p in same.parameters()]
    assert half.features[0][0].out_channels == 16
    assert sum(p.numel() for p in half.parameters()) < 0.4 * sum(p.numel() for p in whole.parameters())

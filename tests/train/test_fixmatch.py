"""Learning from what the network itself is sure of: which pictures count, and what they are taught."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tests.train.conftest import PREPROCESS

from foveal import models
from foveal.core.errors import RecipeError
from foveal.tasks.classify import learn
from foveal.train import chosen
from foveal.train.examples import Examples, Pool
from foveal.train.loop import fetch, fit
from foveal.train.objectives.fixmatch import FixMatch
from foveal.train.planning import check_recipe
from foveal.train.recipe import Recipe
from foveal.train.starting import start


@pytest.fixture
def pooled(examples):
    """The same pictures, six of them labelled and the others not."""
    few = np.array([10, 11, 12, 13, 14, 15])
    return replace(examples, indices=few, pool=Pool(examples.images, np.arange(16, 90)))


@pytest.fixture
def planned(plan):
    def make(**settings):
        numbers = chosen.settings_of("fixmatch", settings)
        return plan.model_copy(
            update={
                "objective": "fixmatch",
                "settings": numbers,
                "images": 6,
                "batch_size": 6,
                "unlabelled": round(6 * numbers["share"]),
                "label_smoothing": 0.0,
                "augmentation": {"flip": 1.0},
            }
        )

    return make


def objective(plan, examples) -> FixMatch:
    made = start(plan, models.architecture("nano"), examples, PREPROCESS, classes=3)
    assert isinstance(made, FixMatch)
    return made


def test_each_picture_without_a_label_is_seen_equally_often(pooled, planned) -> None:
    plan = planned(share=4.0)
    seen = np.zeros(90, int)
    for step in range(37):  # 24 · 37 = 12 · 74
        batch = fetch(pooled, plan, step)
        assert len(batch.images) == 6
        for picture in batch.unlabelled:
            [place] = np.flatnonzero((pooled.images == picture.numpy()).all(axis=(1, 2, 3)))
            seen[place] += 1
    assert seen[16:].tolist() == [12] * 74
    assert seen[:16].sum() == 0


def test_the_labelled_batches_are_those_of_a_plan_without(pooled, planned, plan) -> None:
    with_some, without = planned(), planned().model_copy(update={"unlabelled": 0})
    for step in (0, 5):
        assert torch.equal(fetch(pooled, with_some, step).images, fetch(pooled, without, step).images)
    assert fetch(pooled, without, 0).unlabelled is None


def test_the_loss_is_that_of_the_paper(pooled, planned) -> None:
    plan = planned(threshold=0.345)
    made = objective(plan, pooled).eval()
    batch = fetch(pooled, plan, 0)
    told = made(batch).loss

    again = fetch(pooled, plan, 0)  # the same draws, in the same order
    images, targets = made.views(again)
    weak, strong = made._both(again)
    with torch.no_grad():
        sure, guessed = made.network(weak).softmax(dim=1).max(dim=1)
        known = learn.loss(made.network(images), targets)
        each = F.cross_entropy(made.network(strong), guessed, reduction="none")
    by_hand = known + (each * (sure >= 0.345)).sum() / len(sure)
    torch.testing.assert_close(told, by_hand, rtol=1e-4, atol=1e-5)
    assert 0 < (sure >= 0.345).sum() < len(sure)


def test_where_the_network_is_sure_of_nothing_only_labels_teach(pooled, planned) -> None:
    unsure, plain = planned(threshold=1.0), planned(weight=0.0)
    batch = fetch(pooled, unsure, 0)
    first = objective(unsure, pooled).eval()(batch)
    second = objective(plain, pooled).eval()(fetch(pooled, plain, 0))
    torch.testing.assert_close(first.loss, second.loss)


def test_no_gradient_comes_from_the_guess(pooled, planned) -> None:
    made = objective(planned(threshold=0.0), pooled).eval()
    seen = []
    made.network.register_forward_hook(lambda _m, _g, output: seen.append(output.requires_grad))
    made(fetch(pooled, planned(threshold=0.0), 0))
    assert seen == [False, True]


def test_strong_changes_are_stronger(pooled, planned) -> None:
    made = objective(planned(), pooled)
    batch = fetch(pooled, planned(), 0)
    plain = learn.normalize(batch.unlabelled, PREPROCESS)
    weak, strong = made._both(batch)
    moved = [torch.minimum((one - plain).abs(), (one - plain.flip(3)).abs()).mean() for one in (weak, strong)]
    assert moved[0] < 1e-6 < moved[1]


def test_pictures_without_labels_help(pooled, planned, examples) -> None:
    """With two labels a class, more of the same kind of pictures teach what the labels do not."""
    right = {}
    for weight in (0.0, 1.0):
        plan = planned(weight=weight, threshold=0.8, share=6.0).model_copy(update={"steps": 80})
        made = objective(plan, pooled)
        made.network.load_state_dict(fit(made, pooled, plan).weights)
        with torch.no_grad():
            told = made.network.eval()(learn.normalize(torch.from_numpy(examples.images[16:]), PREPROCESS))
        right[weight] = (told.argmax(1).numpy() == examples.labels[16:]).mean()
    assert right[1.0] >= right[0.0]
    assert right[1.0] > 0.6


def test_it_needs_pictures() -> None:
    with pytest.raises(RecipeError, match="which") as raised:
        check_recipe(Recipe(objective="fixmatch"))
    assert raised.value.code == "no_unlabelled"
    check_recipe(Recipe(objective="fixmatch", unlabelled="."))
    assert [name for name in chosen.offered() if chosen.wants_unlabelled(name)] == ["fixmatch"]


@pytest.mark.parametrize("blend", ["mixup", "cutmix"])
def test_its_guess_is_of_one_picture(blend) -> None:
    """What is said of two pictures in one would be the label of either."""
    with pytest.raises(RecipeError, match=blend) as raised:
        check_recipe(Recipe(objective="fixmatch", unlabelled=".", augment={blend: 0.4}))
    assert raised.value.code == "no_view"
    check_recipe(Recipe(objective="fixmatch", unlabelled=".", augment={"flip": 1.0, blend: 0.0}))


def test_a_pool_is_no_part_of_other_objectives(examples, plan, supervised) -> None:
    with_pool = Examples(
        examples.images, examples.labels, examples.indices, pool=Pool(examples.images, np.arange(5))
    )
    first, second = (fit(supervised(plan), one, plan).weights for one in (examples, with_pool))
    assert all(torch.equal(first[name], second[name]) for name in first)

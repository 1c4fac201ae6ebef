"""train.planning: budgets are kept by arithmetic, choices come with their reason."""

import itertools
import math
import statistics
from dataclasses import replace

import numpy as np
import pytest
import torch

from foveal.core.errors import DataError, RecipeError, UnknownNameError
from foveal.models.nano import SIZES
from foveal.train import planning
from foveal.train.examples import Examples
from foveal.train.fit_plan import FitPlan
from foveal.train.objectives.supervised import Supervised
from foveal.train.planning import Facts, check_recipe, plan_training
from foveal.train.recipe import Recipe
from foveal.train.state import State
from foveal.train.warm_up import Speed, warm_up

FACTS = Facts(size=16, channels=3, classes=3)


@pytest.fixture
def speeds(monkeypatch):
    """Replace the stopwatch: seconds per step by precision and width of the last stage."""

    def install(table, losses=None):
        asked = []

        def measured(make, examples, plan, **_):
            asked.append(plan.precision)
            seconds = table(plan)
            return Speed(seconds, seconds, (losses or {}).get(plan.precision, 1.0))

        monkeypatch.setattr(planning, "warm_up", measured)
        return asked

    return install


def planned(recipe, examples, **given):
    return plan_training(recipe, examples, FACTS, lambda plan: None, **given)


def test_epochs_that_were_asked_for_are_kept(examples, speeds):
    speeds(lambda plan: 0.1)

    made = planned(Recipe(epochs=5), examples)

    assert made.epochs == pytest.approx(5, rel=0.05)
    assert made.images == 80


@pytest.mark.parametrize(
    ("bf16", "loss", "chosen"), [(0.5, 1.0, "bf16"), (0.95, 1.0, "fp32"), (0.5, 1.2, "fp32")]
)
def test_bf16_must_be_faster_and_as_accurate(examples, speeds, bf16, loss, chosen):
    speeds(lambda plan: {"fp32": 1.0, "bf16": bf16}[plan.precision], {"fp32": 1.0, "bf16": loss})

    made = planned(Recipe(epochs=1), examples)

    assert made.precision == chosen
    assert made.reasons["precision"].startswith(chosen)


def test_a_busy_machine_does_not_decide_the_precision(examples, monkeypatch):
    def measured(make, examples, plan, **_):
        slowed = 9.0 if plan.precision == "bf16" else 1.0  # it waits for others, but works half as long
        return Speed(slowed, {"fp32": 1.0, "bf16": 0.5}[plan.precision], 1.0)

    monkeypatch.setattr(planning, "warm_up", measured)

    made = planned(Recipe(epochs=1), examples)

    assert (made.precision, made.step_seconds) == ("bf16", 9.0)


def test_a_precision_that_was_asked_for_is_not_questioned(examples, speeds):
    asked = speeds(lambda plan: 1.0)

    assert planned(Recipe(epochs=1, precision="bf16"), examples).precision == "bf16"
    assert set(asked) == {"bf16"}


@pytest.mark.parametrize(
    ("size", "images", "batch"), [(32, 50_000, 1000), (224, 50_000, 183), (224, 400, 33)]
)
def test_large_pictures_and_small_sets_come_in_smaller_batches(speeds, size, images, batch):
    speeds(lambda plan: 0.1)
    rows = np.zeros((1, size, size, 3), np.uint8)
    many = Examples(np.broadcast_to(rows, (images, size, size, 3)), np.zeros(images, int), np.arange(images))

    made = plan_training(Recipe(epochs=1, augment="none"), many, Facts(size, 3, 3), lambda plan: None)

    assert made.batch_size == batch


def test_a_budget_buys_the_largest_network_that_sees_the_data_often_enough(examples, speeds):
    speeds(lambda plan: plan.arguments.get("widths", [0, 0, 100])[-1] / 1000)
    steps_per_pass = 80 / planned(Recipe(epochs=1), examples).batch_size

    chosen = [
        planned(Recipe(time_seconds=1), examples, seconds_left=lambda seconds=seconds: seconds)
        for seconds in (0.2 * steps_per_pass, 1000.0 * steps_per_pass)
    ]

    assert chosen[0].arguments["widths"] == SIZES[0]["widths"]
    assert chosen[1].arguments["widths"] == SIZES[-1]["widths"]
    for made, seconds in zip(chosen, (0.2 * steps_per_pass, 1000.0 * steps_per_pass), strict=True):
        assert made.steps * made.step_seconds <= seconds
        assert made.epochs <= planning.MAX_EPOCHS * 1.05


def test_a_small_set_is_not_shown_for_ever(examples, speeds):
    speeds(lambda plan: 1e-6)

    made = planned(Recipe(time_seconds=1), examples, seconds_left=lambda: 1e6)

    assert made.epochs == pytest.approx(planning.MAX_EPOCHS, rel=0.05)


def test_a_budget_below_one_pass_is_refused(examples, speeds):
    speeds(lambda plan: 1.0)

    with pytest.raises(RecipeError, match=r"the time left is 100 ms; one pass over 80 images takes"):
        planned(Recipe(time_seconds=1), examples, seconds_left=lambda: 0.1)


def test_nothing_more_is_measured_once_the_time_is_over(examples, speeds):
    asked = []
    speeds(lambda plan: asked.append(plan.precision) or 1.0)

    with pytest.raises(RecipeError, match=r"the time left is 0 ms; one pass over 80 images takes") as caught:
        planned(Recipe(time_seconds=1), examples, seconds_left=lambda: -5.0)

    assert (caught.value.code, len(asked)) == ("budget_too_small", 1)


def test_the_clock_is_asked_again_after_each_measurement(examples, speeds):
    speeds(lambda plan: 0.001)
    left = itertools.count(100, -1)

    made = planned(Recipe(time_seconds=1), examples, seconds_left=lambda: float(next(left)))

    assert made.steps * made.step_seconds < 100


def test_without_a_budget_the_model_has_its_default_size(examples, speeds):
    asked = []
    speeds(lambda plan: asked.append(plan.arguments) or 0.1)

    made = planned(Recipe(epochs=1), examples)

    assert made.arguments == {"channels": 3, "classes": 3, "size": 16}
    assert all(arguments == made.arguments for arguments in asked)


def test_a_recipe_may_name_its_own_augmentation(examples, speeds):
    speeds(lambda plan: 1.0)
    wishes = {"cutout": 0.5, "flip": 1.0}

    assert list(planned(Recipe(epochs=1, augment=wishes), examples).augmentation.items()) == list(
        wishes.items()
    )
    with pytest.raises(UnknownNameError, match="did you mean 'cutout'"):
        planned(Recipe(epochs=1, augment={"cutoff": 0.5}), examples)


@pytest.mark.parametrize(
    ("name", "strength", "message"),
    [
        ("shift", 2.0, "augment.shift: a strength is from 0 to 0.5; got 2.0"),
        ("cutout", 1.1, "augment.cutout: a strength is from 0 to 1.0; got 1.1"),
        ("mixup", -1.0, "augment.mixup: a strength is 0 or more; got -1.0"),
        ("affine", -0.1, "augment.affine: a strength is 0 or more; got -0.1"),
    ],
)
def test_a_strength_outside_its_range_is_refused(name, strength, message):
    with pytest.raises(RecipeError, match=message):
        check_recipe(Recipe(augment={name: strength}))


def test_the_ends_of_a_range_belong_to_it(examples, speeds):
    speeds(lambda plan: 1.0)
    strengths = {"shift": 0.5, "cutout": 1.0, "mixup": 2.0, "flip": 0.0}

    assert planned(Recipe(epochs=1, augment=strengths, size=16), examples).augmentation == strengths


def test_the_order_of_augmentations_is_part_of_the_plan(examples, speeds):
    speeds(lambda plan: 1.0)
    one, other = (
        planned(Recipe(epochs=1, augment=dict(items)), examples)
        for items in ([("flip", 1.0), ("shift", 0.1)], [("shift", 0.1), ("flip", 1.0)])
    )

    assert one.digest != other.digest
    heads = [
        FitPlan(
            model="nano", arguments={}, images=9, of=9, tuning_images=9, folds=3, seed=0, threads=1,
            seconds=0.0, views=2, augmentation=dict(items),
        )
        for items in ([("crop", 0.5), ("color", 0.4)], [("color", 0.4), ("crop", 0.5)])
    ]  # fmt: skip
    assert heads[0].digest != heads[1].digest
    plain = heads[0].model_copy(update={"views": 1, "augmentation": {}})
    assert plain.digest == "854495d01208cd301b1bf447c7f8b88e2c62dc2c87f3018c98c0a6ddab91c7b1", (
        "a plan of an earlier version keeps its name"
    )


def test_an_input_below_the_smallest_is_refused(examples):
    with pytest.raises(RecipeError, match="nano needs inputs of at least 16 pixels; got 8"):
        plan_training(Recipe(size=8), examples, Facts(8, 3, 3), lambda plan: None)


def test_where_bf16_diverges_training_is_in_fp32(examples, monkeypatch):
    def measured(make, examples, plan, **_):
        if plan.precision == "bf16":
            raise DataError("the loss is nan", code="diverged")
        return Speed(1.0, 1.0, 1.0)

    monkeypatch.setattr(planning, "warm_up", measured)

    made = planned(Recipe(epochs=1), examples)

    assert made.precision == "fp32"
    assert made.reasons["precision"] == "fp32: training diverges in bf16"


def test_where_fp32_diverges_nothing_is_planned(examples, monkeypatch):
    def measured(make, examples, plan, **_):
        raise DataError("the loss is nan", code="diverged")

    monkeypatch.setattr(planning, "warm_up", measured)

    with pytest.raises(DataError, match="the loss is nan"):
        planned(Recipe(epochs=1), examples)


def test_an_unknown_model_is_named(examples):
    with pytest.raises(UnknownNameError, match="did you mean 'nano'"):
        planned(Recipe(model="nanoo"), examples)


def test_without_augmentation_pictures_stay_as_they_are(examples, speeds):
    speeds(lambda plan: 1.0)

    assert planned(Recipe(epochs=1, augment="none"), examples).augmentation == {}
    assert planned(Recipe(epochs=1), examples).augmentation["flip"] == 0.0, "80 pictures cannot tell"


def test_the_warm_up_is_the_start_of_a_long_run_and_leaves_nothing_behind(examples, supervised, plan):
    groups, shares = [], []

    class Watched(Supervised):
        def forward(self, batch):
            shares.append(batch.share)
            return super().forward(batch)

        def parameter_groups(self, plan):
            groups.extend(super().parameter_groups(plan))
            return groups

    def make(plan):
        objective = supervised(plan)
        objective.__class__ = Watched
        return objective

    before = torch.get_rng_state()

    speed = warm_up(make, examples, plan.model_copy(update={"steps": 1}), steps=3)

    assert speed.step_seconds > 0
    assert 0 <= min(shares) <= max(shares) < 0.01
    assert all(group["lr"] > 0 for group in groups)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("seconds", "at_most", "taken"),
    [
        ([5.0, 5.0, 5.0, 5.0], math.inf, 4),  # all: one that chooses kernels, three that are timed
        ([9.0, 5.0, 5.0, 5.0], 7.5, 4),  # what a first step takes longer for its kernels says nothing
        ([5.0, 5.0, 5.0, 5.0], 4.0, 3),
        ([9.0], 4.0, 1),  # two seconds above it: it says enough
        ([5.0, 9.0, 3.0, 3.0], 4.0, 4),  # something else came in between
        ([5.0, 3.0, 9.0, 9.0], 4.0, 4),
    ],
)
def test_a_warm_up_ends_where_its_steps_take_too_long(
    examples, supervised, plan, monkeypatch, seconds, at_most, taken
):
    clock, steps = [0.0], []

    def advance(state, batch):
        clock[0] += seconds[len(steps)]
        steps.append(batch)
        return float(len(steps))

    monkeypatch.setattr(State, "advance", advance)
    monkeypatch.setattr("foveal.train.warm_up.time.process_time", lambda: clock[0])

    speed = warm_up(supervised, examples, plan, steps=3, at_most=at_most)

    assert len(steps) == taken
    assert speed.processor_seconds == statistics.median(seconds[1:taken] or seconds)
    assert speed.loss == {4: 3.0, 3: 2.5, 1: 1.0}[taken]


def test_what_cannot_be_faster_is_not_measured_to_its_end(examples, monkeypatch):
    limits = {}

    def measured(make, examples, plan, *, steps, at_most):
        limits.setdefault(plan.precision, at_most)
        return Speed(3.0, 3.0, 1.0) if plan.precision == "fp32" else Speed(36.0, 36.0, 2.0)

    monkeypatch.setattr(planning, "warm_up", measured)

    made = planned(Recipe(epochs=1), examples)

    assert limits == {"fp32": math.inf, "bf16": 6.0}
    assert made.reasons["precision"] == "fp32: bf16 is 0.083× as fast here"


@pytest.mark.parametrize("frames", [1, 4])
def test_robust_adds_to_what_the_data_ask_for_and_says_so(examples, speeds, frames):
    speeds(lambda plan: 0.1)

    facts = replace(FACTS, frames=frames)
    usual, robust = (
        plan_training(Recipe(epochs=1, augment=name), examples, facts, lambda plan: None)
        for name in ("auto", "robust")
    )

    assert list(robust.augmentation.items()) == [*usual.augmentation.items(), *planning.ROBUST.items()]
    assert "as asked" in robust.reasons["augment"]
    assert "augment" not in usual.reasons
    check_recipe(Recipe(augment=planning.ROBUST))

"""train.planning: budgets are kept by arithmetic, choices come with their reason."""

import itertools

import pytest

from foveal.core.errors import RecipeError, UnknownNameError
from foveal.models.nano import SIZES
from foveal.train import planning
from foveal.train.planning import Facts, plan_training
from foveal.train.recipe import Recipe
from foveal.train.warm_up import Speed, warm_up

FACTS = Facts(size=16, channels=3, classes=3)


@pytest.fixture
def speeds(monkeypatch):
    """Replace the stopwatch: seconds per step by precision and width of the last stage."""

    def install(table, losses=None):
        asked = []

        def measured(make, examples, plan, *, steps):
            asked.append((plan.precision, plan.arguments["widths"][-1]))
            return Speed(table(plan), (losses or {}).get(plan.precision, 1.0))

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


def test_a_precision_that_was_asked_for_is_not_questioned(examples, speeds):
    asked = speeds(lambda plan: 1.0)

    assert planned(Recipe(epochs=1, precision="bf16"), examples).precision == "bf16"
    assert {precision for precision, _ in asked} == {"bf16"}


def test_a_budget_buys_the_largest_network_that_sees_the_data_often_enough(examples, speeds):
    speeds(lambda plan: plan.arguments["widths"][-1] / 1000)
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


def test_the_clock_is_asked_again_after_each_measurement(examples, speeds):
    speeds(lambda plan: 0.001)
    left = itertools.count(100, -1)

    made = planned(Recipe(time_seconds=1), examples, seconds_left=lambda: float(next(left)))

    assert made.steps * made.step_seconds < 100


def test_an_unknown_model_is_named(examples):
    with pytest.raises(UnknownNameError, match="did you mean 'nano'"):
        planned(Recipe(model="nanoo"), examples)


def test_without_augmentation_pictures_stay_as_they_are(examples, speeds):
    speeds(lambda plan: 1.0)

    assert planned(Recipe(epochs=1, augment="none"), examples).augmentation == {}
    assert planned(Recipe(epochs=1), examples).augmentation["flip"] == 0.0, "80 pictures cannot tell"


def test_the_warm_up_leaves_nothing_behind(examples, supervised, plan):
    import torch

    before = torch.get_rng_state()
    objective = supervised(plan)
    weights = {name: t.clone() for name, t in objective.state_dict().items()}

    speed = warm_up(lambda plan: supervised(plan), examples, plan, steps=2)

    assert speed.step_seconds > 0
    assert all(torch.equal(weights[name], t) for name, t in objective.state_dict().items())
    assert torch.equal(torch.get_rng_state(), before)

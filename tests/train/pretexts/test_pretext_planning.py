"""What is decided of a training without labels: how large a network is worth its time."""

import pytest

from foveal.train import pretext_planning
from foveal.train.examples import Examples
from foveal.train.objective import Objective
from foveal.train.plan import Plan
from foveal.train.pretext_planning import plan_pretext
from foveal.train.pretext_recipe import PretextRecipe
from foveal.train.warm_up import Speed


def unbuilt(plan: Plan) -> Objective:
    raise AssertionError(f"nothing is built to time {plan.arguments}")


@pytest.mark.parametrize(
    ("least", "widths"), [(10_000, [64, 128, 256]), (100_000, [16, 48, 128])], ids=["enough", "too few"]
)
def test_a_larger_network_is_taken_where_it_is_shown_enough_pictures(
    examples: Examples, monkeypatch: pytest.MonkeyPatch, least: int, widths: list[int]
) -> None:
    """Two hundred passes over 96 pictures, the most that a plan makes, are 19,200 pictures."""
    monkeypatch.setattr(pretext_planning, "warm_up", lambda *_, **__: Speed(0.02, 0.02, 1.0))
    monkeypatch.setattr(pretext_planning, "LEAST_SEEN", least)
    recipe = PretextRecipe(size=16, precision="fp32", threads=1, batch_size=96)

    plan = plan_pretext(
        recipe, examples, unbuilt, architecture=recipe.architecture, seconds_left=lambda: 10.0
    )

    assert plan.arguments["widths"] == widths

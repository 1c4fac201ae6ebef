"""train.objectives.adversarial_patch: what the adversary may touch, and what a network learns from it."""

import itertools
from dataclasses import replace

import pytest
import torch

from foveal.core.errors import RecipeError
from foveal.models import architecture
from foveal.perturb.attacks.laying import side_of
from foveal.perturb.attacks.patches.local_patch import local_patch
from foveal.train import chosen
from foveal.train.loop import fetch, fit
from foveal.train.objectives import _attacked
from foveal.train.starting import start


@pytest.fixture
def make(examples, supervised):
    def objective(plan):
        return start(plan, architecture(plan.model), examples, supervised(plan).preprocess, classes=3)

    return objective


@pytest.fixture
def planned(plan):
    def with_settings(name="adversarial_patch", **settings):
        changes = {"objective": name, "settings": chosen.settings_of(name, settings), "augmentation": {}}
        return plan.model_copy(update=changes)

    return with_settings


@pytest.fixture
def shown(examples, make, monkeypatch):
    """Return a function of a plan: pictures before, and every batch that the network was shown in a step."""

    def step(plan):
        objective, batches = make(plan).train(), []
        answers = _attacked.Attacked.answers

        def spied(self, pixels):
            batches.append(pixels.detach().clone())
            return answers(self, pixels)

        with monkeypatch.context() as patched:
            patched.setattr(_attacked.Attacked, "answers", spied)
            objective(fetch(examples, plan, 0)).loss.backward()
        return objective.pixels(objective.views(fetch(examples, plan, 0))[0]), batches

    return step


def test_only_one_square_of_each_picture_is_touched(shown, planned):
    before, batches = shown(planned(share=0.1, steps=3, patched=1))
    side = side_of(0.1, *before.shape[2:])

    assert len(batches) == 4, "three steps, and the one that learns"
    for after in batches:
        assert 0 <= after.min() <= after.max() <= 255
        touched = ((after - before).abs() > 0.01).any(dim=1)
        assert touched.flatten(1).any(dim=1).all()
        for picture in touched:
            rows, columns = picture.any(dim=1).nonzero(), picture.any(dim=0).nonzero()
            assert rows.max() - rows.min() < side
            assert columns.max() - columns.min() < side


def test_squares_lie_everywhere_and_on_as_many_pictures_as_was_asked(make, planned):
    objective = make(planned(share=0.05, patched=0.5))
    side = objective.preprocess.size
    pixels = torch.zeros(4000, 3, side, side)

    squares = objective._squares(pixels, torch.Generator().manual_seed(0))

    sizes = squares.flatten(1).sum(dim=1)
    assert set(sizes.tolist()) == {0, side_of(0.05, side, side) ** 2}
    assert 0.45 < (sizes > 0).float().mean() < 0.55
    assert squares.any(dim=0).all(), "corners as well"


def test_a_patch_of_less_than_a_pixel_is_refused_before_training(make, planned, supervised):
    size = supervised(planned()).preprocess.size
    assert size < 32, "0.001 of larger ones is a pixel"

    with pytest.raises(RecipeError, match=f"settings.share: 0.001 of {size} × {size} pixels") as caught:
        make(planned(share=0.001))
    assert make(planned(share=float(caught.value.hint.split()[3])))


def test_each_step_moves_pixels_of_the_square_by_its_size_from_noise_to_the_ends_of_the_range(shown, planned):
    """And uphill: the first step is that of the gradient of the loss at the noise."""
    before, batches = shown(planned(share=0.1, steps=2, step=0.1, patched=1))
    inside = ((batches[0] - before).abs() > 0.01).any(dim=1, keepdim=True).expand_as(before)

    for earlier, later in itertools.pairwise(batches):
        moves = (later - earlier)[inside]
        free = (later[inside] > 0) & (later[inside] < 255) & (moves != 0)  # not stopped by the range
        assert free.float().mean() > 0.5
        torch.testing.assert_close(moves[free].abs(), torch.full_like(moves[free], 25.5), atol=0.01, rtol=0)
    assert batches[0][inside].std() > 60, "noise over the whole range"


def test_more_steps_find_more(examples, make, planned):
    def loss(steps):
        objective = make(planned(steps=steps, share=0.3, patched=1))
        return objective(fetch(examples, planned(), 0)).loss.item()

    assert loss(8) > loss(1)


def test_processes_that_share_a_batch_see_the_pictures_of_one(examples, make, planned):
    """Without batch norm, whose statistics are the ranks' business: its loss is the mean of its parts'."""
    batch = fetch(examples, planned(), 0)
    half = len(batch.images) // 2

    def loss(part):
        objective = make(planned(patched=1, share=0.4)).eval()
        batch.generator.manual_seed(7)
        return objective(replace(batch, part=part)).loss

    parts = torch.stack([loss(slice(0, half)), loss(slice(half, 2 * half))])
    torch.testing.assert_close(parts.mean(), loss(slice(0, 2 * half)), rtol=1e-5, atol=1e-5)
    assert (parts[0] - parts[1]).abs() > 1e-4


def test_the_first_layer_hears_less_of_what_a_patch_adds(make, planned):
    def loudest(plan):
        return make(plan).network.whiten.weight.flatten(1).norm(dim=1).max().item()

    plan = planned(share=0.2)
    objective = make(plan)
    reach = objective.reach(plan, objective.preprocess)

    assert reach == pytest.approx(0.2**0.5 * 0.5 / min(objective.preprocess.std))
    assert loudest(plan) <= 1 / reach
    assert loudest(plan) < 0.8 * loudest(planned("supervised"))


def test_it_learns_to_withstand_patches_that_turn_the_plain_one(examples, planned, make):
    def left(plan):
        plan = plan.model_copy(update={"steps": 80, "label_smoothing": 0.0})
        objective = make(plan)
        objective.network.load_state_dict(fit(objective, examples, plan).weights)
        objective.network.eval()
        batch = fetch(examples, plan.model_copy(update={"batch_size": 80}), 0)
        judge = make(planned()).eval()
        judge.network.load_state_dict(objective.network.state_dict())
        pixels = judge.pixels(judge.views(batch)[0]).round()
        turned = local_patch(
            judge.answers,
            pixels,
            batch.labels,
            share=0.1,
            steps=20,
            generator=torch.Generator().manual_seed(0),
        )
        return (judge.answers(turned).argmax(1) == batch.labels).float().mean()

    plain, hardened = left(planned("supervised")), left(planned(share=0.1, steps=4))

    assert hardened > plain + 0.1, (plain, hardened)

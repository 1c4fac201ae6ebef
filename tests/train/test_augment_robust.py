"""train.augment: what is meant to make a network bear corrupted pictures."""

import pytest
import torch

from foveal.train.augment import _changes
from foveal.train.augment.augmix import augmix
from foveal.train.augment.corruption import corruption
from foveal.train.augment.noise import noise
from foveal.train.augment.randaugment import randaugment
from foveal.train.objective import Batch

CHANGES = ["rotated", "sheared", "moved", "stretched", "coarsened", "inverted", "brightened", "flattened",
           "blurred", "blocky", "noisy"]  # fmt: skip
FROM_ZERO = set(CHANGES) - {"coarsened", "inverted"}  # they do nothing at amount 0


def batch(count, seed=0, channels=3):
    return Batch(
        images=torch.zeros(count, 1, 1, channels, dtype=torch.uint8),
        labels=torch.zeros(count, dtype=torch.int64),
        rows=torch.arange(count),
        passes=torch.zeros(count, dtype=torch.int64),
        share=0.0,
        generator=torch.Generator().manual_seed(seed),
    )


def smooth(count=40, channels=3, side=24):
    images = torch.randn(count, channels, side, side, generator=torch.Generator().manual_seed(1))
    images = torch.nn.functional.avg_pool2d(images, 5, stride=1, padding=2)
    return images / images.std()


def distance(changed, images):
    return (changed - images).flatten(1).norm(dim=1)


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_of_each_picture_and_grows_with_its_amount(name):
    change, images = getattr(_changes, name), smooth()
    before = images.clone()
    gone = []
    for amount in (0.0, 0.3, 1.0):
        amounts = torch.full((len(images),), amount)
        changed = change(images, amounts, batch(len(images)))

        assert changed.shape == images.shape
        assert torch.equal(images, before)
        gone.append(distance(changed, images).mean().item())

    assert name not in FROM_ZERO or gone[0] < 1e-3
    assert gone[0] < gone[1] < gone[2]


@pytest.mark.parametrize("name", sorted(set(CHANGES) - {"blocky"}))
def test_amounts_are_each_pictures_own(name):
    change, images = getattr(_changes, name), smooth()
    amounts = torch.zeros(len(images))
    amounts[::2] = 1.0

    changed = change(images, amounts, batch(len(images)))
    still = change(images, torch.zeros(len(images)), batch(len(images)))

    torch.testing.assert_close(changed[1::2], still[1::2])
    assert (distance(changed, still)[::2] > 0.1).all()


@pytest.mark.parametrize("name", ["brightened", "noisy", "stretched", "inverted", "coarsened"])
def test_grey_levels_stay_between_black_and_white(name):
    images = smooth()

    changed = getattr(_changes, name)(images, torch.ones(len(images)), batch(len(images)))

    for channel in range(3):
        assert changed[:, channel].min() >= images[:, channel].min() - 1e-5
        assert changed[:, channel].max() <= images[:, channel].max() + 1e-5


@pytest.mark.parametrize("name", sorted(set(CHANGES) - {"noisy"}))
def test_a_channel_that_is_the_same_everywhere_stays_so(name):
    images = smooth(8)
    images[:, 2] = -1.3

    changed = getattr(_changes, name)(images, torch.ones(len(images)), batch(len(images)))

    torch.testing.assert_close(changed[:, 2], images[:, 2])


def test_each_picture_draws_its_own_change():
    images = torch.zeros(600, 1, 2, 2)
    marks = [lambda some, amounts, batch, mark=mark: some + mark for mark in (1, 2, 3)]

    changed = _changes.one_each(images, marks, torch.ones(600), batch(600, channels=1))

    counts = torch.bincount(changed[:, 0, 0, 0].long(), minlength=4).tolist()
    assert counts[0] == 0
    assert min(counts[1:]) > 150


def test_blur_keeps_the_mean_of_a_uniform_picture_and_equals_a_gaussian():
    side = 50
    image = torch.zeros(2, 1, side, side)
    image[:, :, 25, 25] = 1.0
    image[1] = 3.0

    seen = _changes.blurred(image, torch.tensor([1.0, 0.4]), batch(2, channels=1))

    torch.testing.assert_close(seen[1], image[1])
    sigma = 0.04 * side
    offsets = torch.arange(side) - 25.0
    line = torch.exp(-(offsets**2) / (2 * sigma**2))
    torch.testing.assert_close(seen[0, 0], torch.outer(line, line) / line.sum() ** 2, atol=5e-4, rtol=0)


def test_noise_has_another_strength_on_each_picture_up_to_the_stated_one():
    images = torch.zeros(400, 3, 16, 16)

    noisy, _ = noise(images, torch.eye(400), strength=0.8, batch=batch(400))

    deviations = noisy.flatten(1).std(1)
    assert deviations.max() < 0.8 * 1.1
    assert deviations.min() < 0.05
    assert deviations.mean() == pytest.approx(0.4, abs=0.04)


def test_corruption_spares_three_in_ten(monkeypatch):
    monkeypatch.setattr("foveal.train.augment.corruption._CHANGES", (lambda some, amounts, batch: some + 1,))
    images = torch.zeros(1000, 3, 2, 2)

    changed, _ = corruption(images, torch.zeros(1000, 2), strength=1.0, batch=batch(1000))

    assert (distance(changed, images) == 0).float().mean() == pytest.approx(0.3, abs=0.05)


def test_augmix_blends_between_the_picture_and_a_mixture_of_its_chains(monkeypatch):
    monkeypatch.setattr("foveal.train.augment.augmix._CHANGES", (lambda some, amounts, batch: some + 1,))
    images = torch.zeros(3000, 1, 2, 2)

    mixed, _ = augmix(images, torch.zeros(3000, 2), strength=1.0, batch=batch(3000, channels=1))

    # Chains of 1, 2 or 3 steps of size 1: on average 2, and a share of them that is uniform.
    found = mixed[:, 0, 0, 0]
    assert found.mean() == pytest.approx(2 / 2, abs=0.05)
    assert found.min() > 0
    assert found.max() < 3
    # Var(m * c) with m uniform and c = sum of Dirichlet(1, 1, 1) shares times depths: E[w²] = 1/6 each.
    second = (1 / 3) * (3 * (1 / 6) * (14 / 3) + 6 * (1 / 12) * 4)
    assert found.var() == pytest.approx(second - 1, abs=0.04)


@pytest.mark.parametrize("mixed", [augmix, randaugment])
def test_a_larger_strength_changes_more(mixed):
    images = smooth(100)

    gone = [
        distance(mixed(images, torch.eye(100), strength=strength, batch=batch(100))[0], images).mean().item()
        for strength in (0.2, 1.0, 2.0)
    ]

    assert gone[0] < gone[1] < gone[2]

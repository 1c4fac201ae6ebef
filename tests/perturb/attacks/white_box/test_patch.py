"""Patches: laid where and as they should be, trained to mislead, and better than noise of the same size."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from foveal.core.errors import UsageError
from foveal.metrics.attack_success import attack_success
from foveal.perturb.attacks.laying import Patch, apply_patch, drawn_squares, laid, side_of
from foveal.perturb.attacks.patches.local_patch import local_patch
from foveal.perturb.attacks.patches.patch import patch

SIDE = 20


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def pictures(count, seed=0):
    """Return pictures of three classes: bars that lie, stand or cross, of any brightness, on noise."""
    rng = np.random.default_rng(seed)
    images = rng.integers(60, 140, (count, SIDE, SIDE, 3))
    labels = rng.integers(0, 3, count)
    for image, label in zip(images, labels, strict=True):
        row, column = rng.integers(5, SIDE - 5, 2)
        if label in (0, 2):
            image[row - 1 : row + 2] += 90
        if label in (1, 2):
            image[:, column - 1 : column + 2] += 90
    return images.clip(0, 255).astype(np.uint8), labels


def tensor(images):
    return torch.from_numpy(images.astype(np.float32)).permute(0, 3, 1, 2)


@pytest.fixture(scope="module")
def world():
    """Return a small network that was trained to tell them apart, and new pictures."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 12, 5, stride=2, padding=2),
        torch.nn.ReLU(),
        torch.nn.Conv2d(12, 16, 3, stride=2, padding=1),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(400, 3),
    )
    images, labels = pictures(300)
    optimizer = torch.optim.Adam(net.parameters(), 3e-3)
    inputs, targets = (tensor(images) - 110) / 60, torch.from_numpy(labels)
    for _ in range(60):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(inputs), targets).backward()
        optimizer.step()
    net.requires_grad_(False)

    def logits(x):
        return net((x - 110) / 60)

    new, truth = pictures(120, seed=1)
    assert (logits(tensor(new)).argmax(dim=1).numpy() == truth).mean() > 0.9
    return logits, tensor(images), new, truth


def answers(logits, images):
    with torch.no_grad():
        return logits(tensor(images)).argmax(dim=1).numpy()


def test_a_patch_trained_on_some_pictures_misleads_on_others_and_noise_does_not(world) -> None:
    logits, images, new, truth = world
    before = answers(logits, new)

    found = patch(logits, images, target=2, share=0.15, steps=100, generator=seeded())
    noise = Patch(255 * torch.rand(found.pixels.shape, generator=seeded(9)), found.mask, 2, 0.15)

    success, control = (
        attack_success(before, answers(logits, apply_patch(one, new)), truth, target=2)
        for one in (found, noise)
    )
    assert success.value > 0.75
    assert control.value < success.value - 0.3


def test_a_patch_of_its_own_misleads_within_one_square_of_the_share(world) -> None:
    logits, _, new, truth = world
    before = answers(logits, new)

    found = local_patch(
        logits, tensor(new), torch.from_numpy(truth), share=0.05, steps=30, generator=seeded()
    )

    moved = found.permute(0, 2, 3, 1).numpy()
    assert (moved == moved.round()).all(), "a file can hold it"
    assert (moved.min(), moved.max()) >= (0, 0)
    assert moved.max() <= 255
    moved = moved.astype(np.uint8)
    assert attack_success(before, answers(logits, moved), truth).value > 0.8
    changed = (moved != new).any(axis=3)
    assert (changed.mean(axis=(1, 2)) <= 0.05).all()
    for one in changed[changed.any(axis=(1, 2))]:
        rows, columns = np.flatnonzero(one.any(axis=1)), np.flatnonzero(one.any(axis=0))
        assert max(np.ptp(rows), np.ptp(columns)) < side_of(0.05, SIDE, SIDE)
    wrong = before != truth
    assert np.array_equal(moved[wrong], new[wrong]), "what is wrong already stays as it is"


@given(height=st.integers(4, 12), width=st.integers(4, 12), side=st.integers(1, 4), seed=st.integers(0, 99))
def test_drawn_squares_are_whole_and_reach_every_pixel(height, width, side, seed) -> None:
    found = drawn_squares(torch.zeros(4000, 2, height, width), side, generator=seeded(seed))

    assert found.shape == (4000, 1, height, width)
    assert (found.flatten(1).sum(dim=1) == side**2).all()
    assert (found.any(dim=3).sum(dim=2) == side).all()
    assert (found.any(dim=2).sum(dim=2) == side).all()
    assert found.any(dim=0).all()


def test_equal_seeds_give_equal_pictures_and_the_input_stays(world) -> None:
    logits, images, new, _ = world
    one, again = (patch(logits, images, target=0, share=0.1, steps=3, generator=seeded(4)) for _ in range(2))
    before = new.copy()

    assert torch.equal(one.pixels, again.pixels)
    assert np.array_equal(apply_patch(one, new, seed=1), apply_patch(one, new, seed=1))
    assert not np.array_equal(apply_patch(one, new, seed=1), apply_patch(one, new, seed=2))
    assert np.array_equal(new, before)
    assert apply_patch(one, new[:0]).shape == (0, SIDE, SIDE, 3)


@given(
    side=st.integers(3, 12), height=st.integers(24, 50), width=st.integers(24, 50), seed=st.integers(0, 99)
)
def test_it_covers_as_much_as_its_scale_says_and_leaves_the_rest(side, height, width, seed) -> None:
    images = torch.full((8, 1, height, width), 50.0)
    found = laid(torch.full((1, side, side), 255.0), torch.ones(side, side), images, generator=seeded(seed))

    covered = ((found - 50).abs() > 1e-3).sum(dim=(1, 2, 3))
    edge = 4 * 1.2 * side + 4  # pixels that the border may or may not take
    assert (covered <= 1.44 * side**2 + edge).all()
    assert (covered >= 0.5 * 0.64 * side**2 - edge).all(), "a corner may hang over the picture's edge"
    assert found.max() <= 255
    assert found.min() >= 50 - 1e-3


def test_gradients_flow_to_every_pixel_of_the_patch() -> None:
    pixels = torch.full((3, 6, 6), 100.0, requires_grad=True)

    laid(pixels, torch.ones(6, 6), torch.zeros(40, 3, 32, 32), generator=seeded()).sum().backward()

    assert (pixels.grad > 0).all()


@pytest.mark.parametrize("share", [0.0, 1.0, 0.001, -1])
def test_a_share_that_is_no_square_is_refused(world, share) -> None:
    logits, images, _, _ = world
    with pytest.raises(UsageError, match="a patch covers a share"):
        patch(logits, images, target=0, share=share, steps=1, generator=seeded())


def test_other_pictures_and_no_step_are_refused(world) -> None:
    logits, images, new, _ = world
    with pytest.raises(UsageError, match="a step"):
        patch(logits, images, target=0, share=0.1, steps=0, generator=seeded())
    with pytest.raises(UsageError, match="need pictures"):
        local_patch(logits, images, torch.zeros(2), share=0.1, steps=3, generator=seeded())
    with pytest.raises(UsageError, match="need uint8"):
        apply_patch(Patch(torch.zeros(1, 3, 3), torch.ones(3, 3), 0, 0.1), new)

"""train.augment: promises every file keeps, and what each one does."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from foveal.core import catalog
from foveal.train import augment
from foveal.train.augment.cutmix import cutmix
from foveal.train.augment.cutout import cutout
from foveal.train.augment.flip import flip
from foveal.train.augment.mixup import mixup
from foveal.train.augment.shift import shift
from foveal.train.objective import Batch

NAMES = catalog.names(augment)


def batch(count=6, seed=0, passed=0, channels=3):
    return Batch(
        images=torch.zeros(count, 1, 1, channels, dtype=torch.uint8),
        labels=torch.zeros(count, dtype=torch.int64),
        rows=torch.arange(count),
        passes=torch.full((count,), passed),
        share=0.0,
        generator=torch.Generator().manual_seed(seed),
    )


def pictures(count=6, channels=3, height=12, width=10):
    images = torch.randn(count, channels, height, width, generator=torch.Generator().manual_seed(1))
    return images, torch.eye(count)


@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("name", NAMES)
def test_every_augmentation_keeps_the_contract(name, channels):
    if channels == 1 and name in ("band_dropout", "band_shift"):
        pytest.skip("one band always stays, and has no neighbour")
    change = catalog.find(augment, name)
    images, targets = pictures(channels=channels)
    before = images.clone(), targets.clone()

    changed, shares = change(images, targets, strength=0.4, batch=batch(channels=channels))
    again, _ = change(images, targets, strength=0.4, batch=batch(channels=channels))
    still, same = change(images, targets, strength=0.0, batch=batch(channels=channels))

    assert (changed.shape, changed.dtype) == (images.shape, images.dtype)
    assert torch.equal(changed, again), "the same generator, the same pictures"
    assert not torch.equal(changed, images), "it does something"
    assert torch.equal(still, images), "strength 0 is the identity"
    assert torch.equal(same, targets)
    assert torch.equal(images, before[0]), "the arguments are left alone"
    assert torch.equal(targets, before[1])
    assert changed.isfinite().all()
    torch.testing.assert_close(shares.sum(1), torch.ones(len(shares)))


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"flip"}))
def test_another_generator_gives_other_pictures(name):
    change = catalog.find(augment, name)
    images, targets = pictures()

    results = [change(images, targets, strength=0.5, batch=batch(seed=seed))[0] for seed in (1, 2)]

    assert not torch.equal(*results)


@pytest.mark.parametrize("name", NAMES)
def test_the_global_random_state_is_not_used(name):
    change = catalog.find(augment, name)
    images, targets = pictures()
    torch.manual_seed(0)
    first, _ = change(images, targets, strength=0.5, batch=batch())
    torch.manual_seed(1)

    assert torch.equal(change(images, targets, strength=0.5, batch=batch())[0], first)


def test_two_passes_show_each_picture_both_ways():
    images, targets = pictures(count=64)

    first, second = (
        flip(images, targets, strength=1, batch=batch(64, passed=number))[0] for number in (0, 1)
    )

    mirrored = images.flip(3)
    was = torch.stack([(first == mirrored).flatten(1).all(1), (second == mirrored).flatten(1).all(1)])
    assert torch.equal(was.sum(0), torch.ones(64, dtype=torch.int64))
    assert 16 < was[0].sum() < 48, "about half start mirrored"


@given(seed=st.integers(0, 2**20))
def test_shifting_moves_pixels_and_mirrors_the_border(seed):
    images = torch.arange(12.0).repeat(1, 1, 12, 1)  # each column has its own value

    moved, _ = shift(images, torch.eye(1), strength=0.25, batch=batch(1, seed))

    columns = moved[0, 0, 0]
    inner = columns.diff().abs()
    assert set(columns.tolist()) <= set(range(12))
    assert inner.max() <= 1, "neighbours stay neighbours, also at the mirror"
    assert 12 - len(set(columns.tolist())) <= 3


def test_cutout_blanks_at_most_the_square_and_nothing_else():
    images = torch.ones(200, 2, 12, 10)

    cut, _ = cutout(images, torch.eye(200), strength=0.5, batch=batch(200))

    blanked = (cut == 0).flatten(2).sum(2)
    assert blanked.max() == 25
    assert blanked.min() >= 4
    assert torch.equal(cut[:, 0], cut[:, 1]), "all channels at the same place"


def test_mixing_gives_each_target_its_share_of_the_picture():
    images, targets = torch.eye(4).view(4, 1, 2, 2).repeat(1, 1, 6, 6), torch.eye(4)

    mixed, shares = mixup(images, targets, strength=0.4, batch=batch(4))

    torch.testing.assert_close(mixed[:, 0, :2, :2].flatten(1), shares)


def test_cutmix_targets_follow_the_area():
    images = torch.arange(4.0).view(4, 1, 1, 1).expand(4, 1, 12, 12)

    mixed, shares = cutmix(images, torch.eye(4), strength=1.0, batch=batch(4))

    for row in range(4):
        for label in range(4):
            area = (mixed[row] == label).float().mean()
            torch.testing.assert_close(shares[row, label], area)

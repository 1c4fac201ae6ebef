"""A patch made against the alarm: it keeps to its square, takes in what can be, and never what is proven."""

import numpy as np
import pytest
import torch

from foveal.certified.masks import Masks
from foveal.certified.patch_alarm import ALARM, certify, watched
from foveal.core.errors import UsageError
from foveal.perturb.attacks.patches.alarm_patch import _chances, _weakest, alarm_patch

SIDE, SHARE = 16, 0.1
MASKS = Masks.against(SHARE, size=SIDE, per_axis=6, fill=(0, 0, 0))


def holes(masks: Masks) -> torch.Tensor:
    found = torch.zeros((len(masks.corners), SIDE, SIDE), dtype=torch.bool)
    for hole, (top, left) in zip(found, masks.corners, strict=True):
        hole[top : top + masks.side, left : left + masks.side] = True
    return found


def logits(pixels: torch.Tensor) -> torch.Tensor:
    """The brightest channel, weighed by how bright its brightest spot is: no single pixel decides."""
    return torch.nn.functional.avg_pool2d(pixels, 4, stride=1).amax(dim=(2, 3)) / 20


def scores(images: np.ndarray) -> np.ndarray:
    return logits(torch.from_numpy(images).permute(0, 3, 1, 2).float()).numpy()


def pictures(spots: int) -> np.ndarray:
    """Dark pictures with so many bright spots of their class's channel, and a dimmer one of another."""
    images = np.full((6, SIDE, SIDE, 3), 20, np.uint8)
    for k in range(6):
        for spot in range(spots):
            images[k, 0:4, 12 * spot : 12 * spot + 4, k % 3] = 200
        images[k, 11:15, 6:10, (k + 1) % 3] = 120
    return images


LABELS = np.arange(6) % 3


def attacked(images: np.ndarray, steps: int = 40, seed: int = 0) -> np.ndarray:
    moved = alarm_patch(
        logits,
        torch.from_numpy(images).permute(0, 3, 1, 2).float(),
        torch.from_numpy(LABELS),
        holes=holes(MASKS),
        fill=torch.zeros(3),
        side=MASKS.patch,
        steps=steps,
        generator=torch.Generator().manual_seed(seed),
    )
    assert torch.equal(moved, moved.round())
    return moved.permute(0, 2, 3, 1).to(torch.uint8).numpy()


def test_it_takes_in_recognizers_that_look_at_one_spot() -> None:
    """The only spot can be hidden by the patch, and its mask already hides it from one copy."""
    images = pictures(1)
    assert (scores(images).argmax(axis=1) == LABELS).all()
    assert not certify(scores, images, LABELS, MASKS).any()

    found = watched(scores, attacked(images), MASKS)

    assert ((found != LABELS) & (found != ALARM)).all()


def test_it_never_turns_what_is_proven() -> None:
    images = pictures(2)
    assert certify(scores, images, LABELS, MASKS).all()

    for seed in range(3):
        found = watched(scores, attacked(images, seed=seed), MASKS)
        assert ((found == LABELS) | (found == ALARM)).all()


def test_it_keeps_to_one_square() -> None:
    images, side = pictures(1), MASKS.patch

    changed = (attacked(images, steps=3) != images).any(axis=3)

    for one in changed:
        rows, columns = np.flatnonzero(one.any(axis=1)), np.flatnonzero(one.any(axis=0))
        assert np.ptp(rows) < side
        assert np.ptp(columns) < side


def test_copies_that_lack_a_part_of_the_patch_are_drawn_most_often() -> None:
    """They have the least of it and the same veto; a mask that hides all or nothing of it teaches less."""
    square = torch.zeros((1, SIDE, SIDE), dtype=torch.bool)
    square[0, : MASKS.patch, : MASKS.patch] = True
    [chances] = _chances(holes(MASKS), square)
    left = (square & ~holes(MASKS)).flatten(1).sum(dim=1)
    cut = (left > 0) & (left < MASKS.patch**2)

    assert 0 < cut.sum() < len(chances)
    assert torch.isclose(chances.sum(), torch.tensor(1.0))
    assert chances[cut].sum() > 0.75
    assert (chances > 0).all()


def test_a_recognizer_that_is_sure_of_everything_is_pushed_away_from_the_truth() -> None:
    """Where other classes have no probability left in float32, the first of them is not the truth."""
    images = torch.from_numpy(pictures(2)).permute(0, 3, 1, 2).float()
    labels = torch.from_numpy(LABELS)

    _, targets = _weakest(lambda pixels: 50 * logits(pixels), images, labels, holes(MASKS), torch.zeros(3))

    assert (targets != labels).all()


def test_the_same_seed_makes_the_same_patches() -> None:
    images = pictures(1)

    assert np.array_equal(attacked(images, steps=4), attacked(images, steps=4))
    assert not np.array_equal(attacked(images, steps=1), attacked(images, steps=1, seed=1))


def test_masks_of_another_size_are_refused() -> None:
    with pytest.raises(UsageError, match="masks"):
        alarm_patch(
            logits, torch.zeros(1, 3, 8, 8), torch.zeros(1, dtype=torch.int64), holes=holes(MASKS),
            fill=torch.zeros(3), side=MASKS.patch, steps=1, generator=torch.Generator(),
        )  # fmt: skip

"""train.augment on clips, whose frames are channels there: one change for all frames."""

import numpy as np
import pytest
import torch

from foveal.core import catalog
from foveal.train import augment
from foveal.train.augment import _changes
from foveal.train.augment.color import color
from foveal.train.objective import Batch

NEW_IN_EACH_FRAME = {"noise", "corruption"}  # noise is; the latter adds some, too
NAMES = sorted(set(catalog.names(augment)) - NEW_IN_EACH_FRAME)
MEASURED = ["stretched", "coarsened", "inverted", "brightened", "flattened", "blurred", "blocky", "rotated"]
COUNT = 6


def batch(channels, *, frames=1, seed=0):
    return Batch(
        images=torch.zeros(COUNT, frames, 1, 1, channels, dtype=torch.uint8),
        labels=torch.zeros(COUNT, dtype=torch.int64),
        rows=torch.arange(COUNT),
        passes=torch.zeros(COUNT, dtype=torch.int64),
        share=0.0,
        generator=torch.Generator().manual_seed(seed),
    )


def drawn(channels, *, frames=1):
    """Return clips as augmentation gets them, float (N, T·C, H, W)."""
    generator = torch.Generator().manual_seed(1)
    return torch.randn(COUNT, frames * channels, 12, 10, generator=generator)


@pytest.mark.parametrize(("channels", "frames"), [(1, 3), (3, 4), (3, 1)])
@pytest.mark.parametrize("name", NAMES)
def test_films_that_stand_still_are_changed_as_their_picture_is(name, channels, frames):
    change, pictures = catalog.find(augment, name), drawn(channels)

    one, _ = change(pictures, torch.eye(COUNT), strength=0.5, batch=batch(channels))
    clips, _ = change(
        pictures.repeat(1, frames, 1, 1), torch.eye(COUNT), strength=0.5, batch=batch(channels, frames=frames)
    )

    torch.testing.assert_close(clips, one.repeat(1, frames, 1, 1))


@pytest.mark.parametrize("name", MEASURED)
def test_what_stands_still_beside_what_moves_stays_so(name):
    clips = drawn(3, frames=4)
    clips[0] = clips[0, :3].repeat(4, 1, 1)
    clips[1, 3:6] *= 9  # one frame of another film has much light

    changed = getattr(_changes, name)(clips, torch.ones(COUNT), batch(3, frames=4))

    frames = changed[0].unflatten(0, (4, 3))
    assert not torch.equal(changed[0], clips[0])
    torch.testing.assert_close(frames, frames[:1].expand_as(frames))


def test_grey_films_of_three_frames_keep_what_moves_in_them():
    clips = drawn(1, frames=3)

    changed, _ = color(clips, torch.eye(COUNT), strength=0.7, batch=batch(1, frames=3))

    for before, after in zip(clips, changed, strict=True):  # brightness and contrast are all
        assert np.corrcoef(before.flatten(), after.flatten())[0, 1] == pytest.approx(1, abs=1e-6)


def test_the_frames_of_films_in_colour_get_one_saturation():
    clips = drawn(3, frames=4)

    changed, _ = color(clips, torch.eye(COUNT), strength=0.7, batch=batch(3, frames=4))

    before, after = (some.unflatten(1, (4, 3)) for some in (clips, changed))
    colourful, grey = ((some - some.mean(2, keepdim=True)).std((2, 3, 4)) for some in (before, after))
    factors = grey / colourful  # of contrast and saturation together, for each frame
    contrast = after.mean(2).std((2, 3)) / before.mean(2).std((2, 3))
    torch.testing.assert_close(factors, factors[:, :1].expand_as(factors))
    torch.testing.assert_close(contrast, contrast[:, :1].expand_as(contrast))
    assert ((factors / contrast).log()[:, 0].abs() > 0.05).any()
    assert (factors / contrast)[:, 0].unique().numel() == COUNT, "each film has its own"

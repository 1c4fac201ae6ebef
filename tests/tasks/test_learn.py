"""tasks.classify.learn: input of mean 0 and deviation 1, targets that are shares, cross-entropy."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from foveal.data.preprocess import Preprocess
from foveal.tasks.classify import learn


def test_normalized_pixels_have_mean_0_and_deviation_1_per_channel() -> None:
    random = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (20, 8, 8, 3), generator=random, dtype=torch.uint8)
    shares = images.double() / 255
    mean, std = (tuple(f(shares, dim=(0, 1, 2)).tolist()) for f in (torch.mean, torch.std))

    normal = learn.normalize(images, Preprocess(size=8, channels=3, mean=mean, std=std))

    assert (normal.shape, normal.dtype) == ((20, 3, 8, 8), torch.float32)
    torch.testing.assert_close(normal.mean(dim=(0, 2, 3)), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(normal.std(dim=(0, 2, 3)), torch.ones(3), atol=1e-4, rtol=0)


def test_normalizing_is_share_minus_mean_over_deviation_of_the_right_channel() -> None:
    images = torch.tensor([0, 51, 255], dtype=torch.uint8).repeat(1, 8, 8, 1)
    preprocess = Preprocess(size=8, channels=3, mean=(0.5, 0.1, 0.2), std=(0.25, 0.1, 0.4))

    pixel = learn.normalize(images, preprocess)[0, :, 4, 4]

    torch.testing.assert_close(pixel, torch.tensor([-2.0, 1.0, 2.0]), atol=1e-5, rtol=0)


@given(seed=st.integers(0, 2**16), smoothing=st.floats(0, 0.5))
def test_loss_is_cross_entropy_with_label_smoothing(seed: int, smoothing: float) -> None:
    random = torch.Generator().manual_seed(seed)
    logits = torch.randn(6, 4, generator=random)
    labels = torch.randint(0, 4, (6,), generator=random)

    shares = learn.targets(labels, classes=4, smoothing=smoothing)

    torch.testing.assert_close(shares.sum(dim=1), torch.ones(6))
    torch.testing.assert_close(
        learn.loss(logits, shares), F.cross_entropy(logits, labels, label_smoothing=smoothing)
    )


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_loss_of_low_precision_logits_is_computed_in_float32(dtype: torch.dtype) -> None:
    logits = torch.tensor([[10.0, -10.0]], dtype=dtype)

    loss = learn.loss(logits, learn.targets(torch.tensor([0]), classes=2, smoothing=0.0))

    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(2.06e-9, rel=0.01, abs=3e-9)

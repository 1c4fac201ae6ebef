"""Recognizers whose maps are known, and pictures for them."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.models import VisionTransformer

from foveal.bundle.predictor import Predictor
from foveal.data.preprocess import Preprocess
from foveal.tasks.recognizer import Recognizer, build

PREPROCESS = Preprocess(size=32, channels=3, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


class RedAgainstGreen(nn.Module):
    """Logits are the mean of red and the mean of green; both pass through one convolution as they are."""

    def __init__(self) -> None:
        super().__init__()
        self.pick = nn.Conv2d(3, 2, 1, bias=False)
        self.pick.weight = nn.Parameter(torch.eye(3)[:2, :, None, None], requires_grad=False)
        self.head = nn.Linear(2, 2, bias=False)
        self.head.weight = nn.Parameter(torch.eye(2), requires_grad=False)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, 2)."""
        return self.head(self.pick(images).mean(dim=(2, 3)))


@pytest.fixture(scope="session")
def corner(corner_bundle: Path) -> Predictor:
    """Return what looks at the top left quarter alone."""
    return Predictor.open(corner_bundle, threads=1)


@pytest.fixture(scope="session")
def bright_corner() -> np.ndarray:
    """A noisy dark picture, bright in its top left quarter, uint8 (32, 32, 3)."""
    image = np.random.default_rng(0).integers(20, 60, (32, 32, 3), dtype=np.uint8)
    image[:16, :16] += 150
    return image


@pytest.fixture
def by_hand() -> Recognizer:
    """Return red against green."""
    return Recognizer(RedAgainstGreen().eval(), "by hand", {}, PREPROCESS, ("red", "green"))


@pytest.fixture
def nano() -> Recognizer:
    """Return a new nano with three classes."""
    torch.manual_seed(0)
    arguments = {"channels": 3, "classes": 3, "size": 32, "widths": [4, 6, 8]}
    return Recognizer(build("nano", arguments).eval(), "nano", arguments, PREPROCESS, ("a", "b", "c"))


@pytest.fixture
def transformer() -> Recognizer:
    """Return a small vision transformer of torchvision: 2 blocks, 2 heads, 16 patches and a class token."""
    torch.manual_seed(0)
    network = VisionTransformer(
        image_size=32, patch_size=8, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32, num_classes=3
    )
    nn.init.normal_(network.heads[-1].weight)
    return Recognizer(network.eval(), "vit", {}, PREPROCESS, ("a", "b", "c"))


@pytest.fixture
def constant() -> SimpleNamespace:
    """Return what answers 70 % and 30 % whatever it sees."""
    row = np.array([0.7, 0.3], np.float32)
    return SimpleNamespace(run=lambda images: SimpleNamespace(probabilities=np.tile(row, (len(images), 1))))


@pytest.fixture(scope="session")
def noise() -> Callable[..., np.ndarray]:
    """Return a maker of random pictures, uint8 (size, size, channels)."""

    def make(seed: int = 0, size: int = 32, channels: int = 3) -> np.ndarray:
        return np.random.default_rng(seed).integers(0, 256, (size, size, channels), dtype=np.uint8)

    return make

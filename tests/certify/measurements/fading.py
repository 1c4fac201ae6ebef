"""Films that grow brighter or darker, and the linear network that compares their two ends."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from foveal.bundle.manifest import Data, Images
from foveal.certify.level import LEVELS
from foveal.data.clip import Clip
from foveal.data.preprocess import Preprocess
from foveal.export.sealing import Origin
from foveal.export.sealing import bundle as seal
from foveal.models.cnn import Cnn
from foveal.tasks.recognizer import Recognizer
from foveal.train.examples import Examples

SIDE, FRAMES = 16, 4
LEVEL = replace(
    LEVELS["quick"], corrupted=20, severities=(3,), attacked=40, attacked_otherwise=40, steps=10, queries=30,
    certified=4, noisy=100, patched=10, unknown=40, invariant=60, draws=50, transplanted=60,
)  # fmt: skip


def films(n: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return films that grow brighter (1) or darker (0) by 4 to 24 levels, uint8 (n, 4, 16, 16, 1)."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    way = rng.uniform(4, 24, n) * np.where(labels == 1, 1, -1)
    levels = 128 + way[:, None] * (np.arange(FRAMES) / (FRAMES - 1) - 0.5)
    noise = rng.normal(0, 20, (n, FRAMES, SIDE, SIDE, 1))
    return (levels[:, :, None, None, None] + noise).clip(0, 255).round().astype(np.uint8), labels


def gain(clips: np.ndarray) -> np.ndarray:
    """Return by how many levels the last frame of each is brighter than the first, float (N,)."""
    means = clips.mean(axis=(2, 3, 4))
    return means[:, -1] - means[:, 0]


def recognizer() -> Recognizer:
    head = nn.Sequential(nn.Flatten(), nn.Linear(FRAMES, 2))
    with torch.no_grad():
        head[1].weight.zero_()
        head[1].weight[1, -1], head[1].weight[1, 0] = 20, -20
        head[1].bias.zero_()
    backbone = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    network = Cnn(backbone, nn.Identity(), head, features=1).eval()
    preprocess = Preprocess(size=SIDE, channels=1, mean=(0.5,), std=(0.25,), clip=Clip(frames=FRAMES))
    return Recognizer(network, "fading", {}, preprocess, ("darker", "brighter"), "video")


def sealed(folder: Path) -> tuple[Recognizer, Path]:
    """Return the network and its bundle in a folder."""
    twin, path = recognizer(), folder / "fading.foveal"
    clips, labels = films(300, seed=1)
    data = Data(fingerprint="0" * 64, split_seed=0, images=Images(fit=0, calib=300, test=0))
    assert seal(twin, path, calib=Examples(clips, labels, np.arange(300)), origin=Origin(data)).bundle
    return twin, path

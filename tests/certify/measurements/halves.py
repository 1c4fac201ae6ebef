"""Pictures of two halves, and the linear network that tells which is brighter."""

from dataclasses import replace

import numpy as np
import torch
from torch import nn

from foveal.certify.level import LEVELS
from foveal.certify.measurements.adversarial import adversarial
from foveal.certify.statement import Statement
from foveal.certify.subject import Subject
from foveal.data.preprocess import Preprocess
from foveal.tasks.recognizer import Recognizer

SIDE = 8
LEVEL = replace(
    LEVELS["quick"], attacked=60, attacked_otherwise=60, steps=10, queries=30, certified=8, noisy=100,
    patched=20, patch_steps=10, patch_queries=20, draws=50,
)  # fmt: skip


def pictures(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return pictures of which one half, left or right, is brighter, uint8 (n, 8, 8, 1), and which."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    images = rng.normal(128, 30, (n, SIDE, SIDE, 1))
    images[labels == 0, :, : SIDE // 2] += 12
    images[labels == 1, :, SIDE // 2 :] += 12
    return images.clip(0, 255).astype(np.uint8), labels


def linear() -> nn.Module:
    network = nn.Sequential(nn.Flatten(), nn.Linear(SIDE * SIDE, 2))
    weights = torch.zeros(2, SIDE, SIDE)
    weights[0, :, : SIDE // 2] = weights[1, :, SIDE // 2 :] = 0.05
    with torch.no_grad():
        network[1].weight.copy_(weights.flatten(1))
        network[1].bias.zero_()
    return network


def recognizer(network: nn.Module) -> Recognizer:
    preprocess = Preprocess(size=SIDE, channels=1, mean=(0.5,), std=(0.25,))
    return Recognizer(network.eval(), "halves", {}, preprocess, ("left", "right"))


def robust(one: Subject) -> dict[str, Statement]:
    """Return what is stated of each distance, by name."""
    found = {statement.claim.key: statement for statement in adversarial.measure(one).statements}
    return {key: statement for key, statement in found.items() if key.startswith("robust")}

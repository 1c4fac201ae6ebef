"""The loss of areas: what nothing is said of is in no number, also where that is everything."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from foveal.data.preprocess import Preprocess
from foveal.data.scene import VOID
from foveal.train.objective import Batch
from foveal.train.plan import Plan
from foveal.train.scenes.objectives.regions import Regions, class_weights
from foveal.train.scenes.planning import CHANGES

SIDE, CLASSES = 32, 3


def loss_on(maps: np.ndarray) -> tuple[torch.Tensor, nn.Module]:
    """Return the loss of one step without any change of the pictures, and what was trained."""
    torch.manual_seed(0)
    network = nn.Conv2d(3, CLASSES, 1)
    preprocess = Preprocess(
        size=SIDE, width=SIDE, resize="letterbox", channels=3, mean=(0.5,) * 3, std=(0.5,) * 3
    )
    plan = Plan(
        model="region", arguments={"classes": CLASSES}, images=len(maps), steps=1, batch_size=len(maps),
        learning_rate=0.1, weight_decay=0.0, label_smoothing=0.0, ema_share=0.1, precision="fp32",
        augmentation=dict.fromkeys(CHANGES, 0.0), objective="regions", seed=0, threads=1, step_seconds=0.0,
    )  # fmt: skip
    objective = Regions(network, maps, preprocess=preprocess, plan=plan)
    rows = torch.arange(len(maps))
    images = torch.randint(0, 256, (len(maps), SIDE, SIDE, 3), dtype=torch.uint8)
    batch = Batch(images, rows * 0, rows, rows * 0, 0.5, torch.Generator().manual_seed(0))
    return objective(batch).loss, network


def test_pictures_of_which_nothing_is_said_leave_the_network_as_it_is() -> None:
    loss, network = loss_on(np.full((2, SIDE, SIDE), VOID, np.uint8))

    loss.backward()

    assert loss.item() == 0
    assert all((one.grad == 0).all() for one in network.parameters())


def test_void_pixels_do_not_change_the_mean_of_the_others() -> None:
    maps = np.random.default_rng(0).integers(0, CLASSES, (2, SIDE, SIDE)).astype(np.uint8)
    maps[:, : SIDE // 2] = VOID
    torch.manual_seed(0)

    loss, _ = loss_on(maps)

    torch.manual_seed(0)
    network = nn.Conv2d(3, CLASSES, 1)
    images = torch.randint(0, 256, (2, SIDE, SIDE, 3), dtype=torch.uint8)
    logits = network((images.permute(0, 3, 1, 2) / 255 - 0.5) / 0.5)
    expected = F.cross_entropy(
        logits,
        torch.from_numpy(maps).long(),
        weight=torch.from_numpy(class_weights(maps, CLASSES)),
        ignore_index=VOID,
    )
    assert loss.item() == pytest.approx(expected.item(), rel=1e-4)

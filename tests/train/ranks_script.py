"""Train a small network for 20 steps on however many ranks there are; run by test_ranks.py.

    torchrun --nproc-per-node 2 ranks_script.py OUT WAY…

Each WAY is `right` or the name of a mistake that is made on purpose; OUT/WAY-<rank>.safetensors gets the
weights. `nano` is one step of the default network, `nano64` are six of them in float64. `lost` ends rank 1 in
the middle, as a crash would, and writes the other rank's error. `slow0` and `slow1` time steps that seem
to take one rank ten seconds, and write what each was told.
"""

import itertools
import os
import sys
import time
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from foveal import models
from foveal.core.errors import TemporaryError
from foveal.data.preprocess import Preprocess
from foveal.train import ranks
from foveal.train.examples import Examples
from foveal.train.loop import fit
from foveal.train.objectives.supervised import Supervised
from foveal.train.plan import Plan
from foveal.train.ranks import Team
from foveal.train.warm_up import warm_up

# One of each kind of change, and an uneven last part: 33 pictures on two ranks.
AUGMENTATION = {
    "flip": 1.0, "shift": 0.1, "affine": 0.5, "color": 0.2, "cutout": 0.3, "mixup": 0.4, "cutmix": 1.0,
}  # fmt: skip
PLAN = Plan(
    model="test", arguments={}, images=80, steps=20, batch_size=33, learning_rate=0.02, weight_decay=1e-3,
    label_smoothing=0.1, ema_share=0.2, augmentation=AUGMENTATION, precision="fp32", seed=0, threads=1,
    step_seconds=0.0,
)  # fmt: skip


def network() -> nn.Module:
    # Smooth: where a ReLU or a maximum may tip over, rounding alone leads somewhere else after some steps.
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8, momentum=0.3), nn.GELU(),
        nn.Conv2d(8, 16, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(16), nn.GELU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.BatchNorm1d(16, momentum=None), nn.Linear(16, 3),
    )  # fmt: skip


STEPS = {"nano": 1, "nano64": 6}


def nano(dtype: torch.dtype) -> nn.Module:
    torch.manual_seed(0)
    return models.architecture("nano").build(channels=3, classes=3, size=16).to(dtype)


def examples() -> Examples:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 80)
    images = rng.integers(0, 140, (80, 16, 16, 3), dtype=np.uint8)
    images[np.arange(80), :, :, labels] += 60
    return Examples(images, labels, np.arange(80))


class EachForItself(Supervised):
    """Draws for its own part instead of for the whole batch."""

    def forward(self, batch):
        part = batch.part
        for name in ("images", "labels", "rows", "passes"):
            object.__setattr__(batch, name, getattr(batch, name)[part])
        object.__setattr__(batch, "part", slice(None))
        return super().forward(batch)


def usual(kind: type[Supervised], network: nn.Module) -> Supervised:
    return kind(
        network,
        classes=3,
        preprocess=Preprocess(size=16, channels=3, mean=(0.3,) * 3, std=(0.2,) * 3),
        augmentation=AUGMENTATION,
        label_smoothing=0.1,
    )


def seen(*, slow: int) -> str:
    """Return how many steps a warm-up takes, and what it sees, where those of one rank seem to take long."""
    ticks, made = itertools.count(step=10 if ranks.here().rank == slow else 0), network()
    with mock.patch.object(time, "process_time", side_effect=ticks):
        speed = warm_up(lambda _: usual(Supervised, made), examples(), PLAN, steps=3, at_most=1.0)
    return f"{made[1].num_batches_tracked} {speed}"


def main() -> None:
    out = Path(sys.argv[1])
    share, add = ranks._share_statistics, Team.add_gradients
    for way in sys.argv[2:]:
        if way.startswith("slow"):
            (out / f"{way}-{ranks.here().rank}.txt").write_text(seen(slow=int(way[-1])))
            continue
        ranks._share_statistics = (lambda module: None) if way == "plain_norm" else share
        Team.add_gradients = (lambda self, parameters: None) if way == "no_sum" else add
        kind = EachForItself if way == "own_draws" else Supervised
        torch.set_default_dtype(torch.float64 if way == "nano64" else torch.float32)
        objective = usual(kind, nano(torch.get_default_dtype()) if way in STEPS else network())
        if ranks.here().rank:  # other first weights must not matter
            nn.init.zeros_(next(objective.network.parameters()))

        def die(stage: str, done: int, total: int, note: str = "", way: str = way) -> None:
            if way == "lost" and done == 5 and ranks.here().rank == 1:
                os._exit(9)

        plan = PLAN.model_copy(update={"steps": STEPS.get(way, PLAN.steps)})
        try:
            fitted = fit(objective, examples(), plan, progress=die)
        except TemporaryError as error:
            (out / f"{way}.txt").write_text(f"{error.code}: {error.message}")
            os._exit(error.exit_code)
        tensors = {f"average.{k}": v.contiguous() for k, v in fitted.weights.items()}
        tensors |= {f"last.{k}": v.contiguous() for k, v in objective.network.state_dict().items()}
        tensors["loss"] = torch.tensor([row["loss"] for row in fitted.history])
        tensors["correct"] = torch.tensor([row["accuracy"] for row in fitted.history])
        save_file(tensors, out / f"{way}-{ranks.here().rank}.safetensors")


if __name__ == "__main__":
    with ranks.joined():
        main()

"""What depth costs a network without shortcuts: gradients by layer, and accuracy in equal time.

    python benchmarks/depth.py DATA OUT
    python benchmarks/depth.py DATA OUT --depths 20 56 --time 2m --optimizers muon

DATA is CIFAR-10 as folders of pictures (benchmarks/lay_out.py writes it). Of `plain20`, `plain56`, `plain110`
and of the residual networks of the same depths, which differ only in their shortcuts (He et al. 2016, §4.2):

- the norm of the loss's gradient for the filters of every 3×3 convolution of new weights, over the norm of
  the filters themselves, median of several batches: with small weights and without batch norm, with the
  weights of He et al. 2015 instead, and with batch norm as well;
- test accuracy after training for the same time, with each optimizer, of the sealed bundle, or of the network
  where no file answers as it does.

Writes `depth.json`, `gradients.png` and `accuracy.png` to OUT, and prints the tables.
"""

import argparse
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import foveal
from foveal import models
from foveal.core.units import seconds
from foveal.data import opening
from foveal.data.preprocess import Preprocess
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.models import Architecture, Settings
from foveal.tasks import recognizer as recognizers
from foveal.train import Recipe

FAMILIES = ("plain", "resnet")
SETUPS = ("small weights", "He's weights", "batch norm")
_BATCHES, _BATCH = 8, 64
_STEM = 2  # pictures of 32 pixels are halved once, so that the deepest, too, sees them several times
# Adam as for a network that nothing is known about, and Muon as these families have it: an orthogonalized
# step has the same length however small the gradient was, so it hides a vanishing one.
_ADAM = Settings(optimizer="adam", learning_rate=2e-3, weight_decay=0.05, batch_size=128, warm_up_share=0.05)


def pictures(data: Path) -> tuple[Tensor, Tensor]:
    """Return normalized pictures (N, 3, 32, 32) and their labels, the same for all networks."""
    dataset = opening.open(data)
    half = (0.5,) * 3
    preprocess = Preprocess(size=32, channels=3, mean=half, std=half)
    chosen = np.random.default_rng(0).choice(len(dataset), _BATCHES * _BATCH, replace=False)
    pixels = np.stack([preprocess(dataset.read(int(i)).decode(3)) for i in chosen])
    images = (torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5
    return images, torch.from_numpy(np.asarray(dataset.labels)[chosen]).long()


def build(name: str, setup: str) -> nn.Module:
    torch.manual_seed(0)
    network = models.architecture(name).build(channels=3, classes=10, size=32)
    if setup != "batch norm":
        for parent in list(network.modules()):
            for child, layer in list(parent.named_children()):
                if isinstance(layer, nn.BatchNorm2d):
                    setattr(parent, child, nn.Identity())
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d) and setup == "small weights":
            nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")  # keeps a linear layer's scale
        elif isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")  # He et al. 2015, equation 10
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.ones_(layer.weight)  # ours start blocks as the identity, where no gradient enters them
    return network.train()


def shares(network: nn.Module, images: Tensor, labels: Tensor) -> list[float]:
    """Return |gradient| / |filters| of each 3×3 convolution from the picture on, median over batches."""
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)]
    found = []
    for batch, answers in zip(images.split(_BATCH), labels.split(_BATCH), strict=True):
        network.zero_grad()
        F.cross_entropy(network(batch), answers).backward()
        found.append([float(m.weight.grad.norm() / m.weight.detach().norm()) for m in layers])
    return [float(value) for value in np.median(np.array(found), axis=0)]


def gradients(depths: list[int], images: Tensor, labels: Tensor) -> Iterator[dict[str, Any]]:
    for setup in SETUPS:
        for family in FAMILIES:
            for depth in depths:
                found = shares(build(f"{family}{depth}", setup), images, labels)
                yield {"family": family, "depth": depth, "setup": setup, "layers": found}


def accuracy(name: str, optimizer: str, data: Path, time: str, out: Path) -> dict[str, Any]:
    named = models.architecture(name)
    # One stem for all: a budget would give each network the finest that it allows.
    found = Architecture(
        partial(named.build, stem_stride=_STEM),
        name=f"benchmarks.depth:{name}",
        settings=_ADAM if optimizer == "adam" else named.settings,
    )
    run = out / f"{name}-{optimizer}-{time}"
    if not (run / "metrics.json").is_file():  # a finished run is not done again
        recipe = Recipe(model=found, time_seconds=seconds(time), baseline=False)
        foveal.learn(data, recipe=recipe, out=run, force=True)
    document = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    about = {key: document[key] for key in ("epochs", "seconds", "images_per_second")}
    if document["bundle"] is None:  # file and network differ: of such a network, only itself can be asked
        return {
            "name": name,
            "optimizer": optimizer,
            "of": "network",
            "accuracy": asked(run, data, found),
            **about,
        }
    test = document["metrics"]["test"]["accuracy"]
    return {"name": name, "optimizer": optimizer, "of": "file", "accuracy": test, **about}


def asked(run: Path, data: Path, builder: Architecture) -> dict[str, Any]:
    """Return the accuracy of the network of a run on the test pictures."""
    recognizer, dataset = recognizers.load(run / "model", builder=builder), opening.open(data)
    rows = [i for i, split in enumerate(dataset.splits or ()) if split == "test"]
    right = 0
    for start in range(0, len(rows), 256):
        part = rows[start : start + 256]
        pixels = np.stack([recognizer.preprocess(dataset.read(i).decode(3)) for i in part])
        named = recognizer.logits(pixels).argmax(axis=1)
        right += int((named == np.asarray(dataset.labels)[part]).sum())
    return clopper_pearson(right, len(rows)).as_json()


def draw(found: dict[str, Any], out: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, len(SETUPS), figsize=(11, 3.4), sharey=True)
    for axis, setup in zip(axes, SETUPS, strict=True):
        for row in found["gradients"]:
            if row["setup"] == setup:
                where = np.linspace(0, 1, len(row["layers"]))
                style = "-" if row["family"] == "resnet" else "--"
                axis.plot(where, row["layers"], style, label=f"{row['family']}{row['depth']}")
        axis.set(yscale="log", xlabel="layer, from picture to answer")
        axis.set_title(setup, fontsize=10)
    axes[0].set_ylabel("|gradient| / |filters|, new weights")
    axes[-1].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(out / "gradients.png", dpi=110)
    if not found["accuracy"]:
        return
    figure, axis = plt.subplots(figsize=(6, 3.4))
    for optimizer in dict.fromkeys(row["optimizer"] for row in found["accuracy"]):
        for family in FAMILIES:
            rows = [
                r for r in found["accuracy"] if r["optimizer"] == optimizer and r["name"].startswith(family)
            ]
            values = np.array([[r["accuracy"][key] for key in ("value", "low", "high")] for r in rows])
            depths = [int(r["name"].removeprefix(family)) for r in rows]
            ends = np.abs(values[:, 1:].T - values[:, 0])
            style = "o-" if family == "resnet" else "s--"
            axis.errorbar(depths, values[:, 0], ends, fmt=style, capsize=3, label=f"{family}, {optimizer}")
    axis.set(xlabel="layers", ylabel=f"test accuracy after {found['time']}")
    axis.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(out / "accuracy.png", dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--depths", type=int, nargs="+", default=[20, 56, 110])
    parser.add_argument("--optimizers", nargs="*", default=["muon", "adam"], choices=["muon", "adam"])
    parser.add_argument("--time", default="3m", help="of each training")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = {"time": given.time, "gradients": [], "accuracy": []}
    for row in gradients(given.depths, *pictures(given.data)):
        found["gradients"].append(row)
        first, last = row["layers"][0], row["layers"][-1]
        print(
            f"{row['family']}{row['depth']:<4} {row['setup']:<13} first {first:.3g}  last {last:.3g}  "
            f"first/last {first / last:.3g}",
            flush=True,
        )
    for optimizer in given.optimizers:
        for family in FAMILIES:
            for depth in given.depths:
                row = accuracy(f"{family}{depth}", optimizer, given.data, given.time, given.out / "runs")
                found["accuracy"].append(row)
                test = row["accuracy"]
                low, high, n = (test[key] for key in ("low", "high", "n"))
                print(
                    f"{row['name']:<10} {optimizer:<5} {test['value']:.4f} [{low:.4f}, {high:.4f}] n={n}  "
                    f"{row['epochs']:.1f} passes  {row['seconds']:.0f} s  of the {row['of']}",
                    flush=True,
                )
    (given.out / "depth.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
    draw(found, given.out)


if __name__ == "__main__":
    main()

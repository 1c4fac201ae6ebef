"""A network of your own, trained by foveal; and one that was trained elsewhere, shipped by foveal.

    python examples/bring_your_own_model.py OUT [DATA]

DATA is anything that `foveal check` recognizes; without it, the handwritten digits that come with
scikit-learn are laid out in OUT. Both ways end in a sealed bundle that needs no torch to run.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

import foveal
from foveal.bundle.manifest import Data, Images
from foveal.data.fingerprint import fingerprint
from foveal.data.inventory import content_hashes
from foveal.data.preprocess import Preprocess
from foveal.export import Origin, bundle
from foveal.flows.demo import lay_out
from foveal.tasks.recognizer import Recognizer
from foveal.train import Examples, Recipe


def small_net(*, channels: int, classes: int, size: int) -> nn.Module:
    """Return a plain network: this is all that foveal asks for."""
    return nn.Sequential(
        nn.Conv2d(channels, 16, 3, padding=1),
        nn.GELU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.GELU(),
        nn.Conv2d(32, 64, 3, stride=2, padding=1),
        nn.GELU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(256, classes),
    )


def trained_by_foveal(data: Path, out: Path) -> Path:
    """Check, train, export, calibrate, measure and report, as `foveal train` does."""
    recipe = Recipe(model=small_net, size=16, epochs=20, threads=1)
    result = foveal.learn(data, recipe=recipe, out=out / "run", force=True)
    # Killed? foveal.resume(out / "run", data, model=small_net) goes on. The builder has to be given again:
    # a run only remembers its name, and foveal never looks code up by a name in a file.
    accuracy = result.document["metrics"]["test"]["accuracy"]
    print(f"trained by foveal: accuracy {accuracy['value']:.3f}, n={accuracy['n']}, report {result.report}")
    if result.bundle is None:
        raise SystemExit("the exported file decides differently from the network: see the report")
    return result.bundle


def trained_elsewhere(data: Path, out: Path) -> Path:
    """Train with nothing but torch, then ship with foveal: same calibration, same gate."""
    dataset = foveal.data.open(data)
    preprocess = Preprocess(size=16, channels=1, mean=(0.3,), std=(0.35,))
    images = np.stack([preprocess(sample.picture.decode(1)) for sample in dataset])
    labels = np.asarray(dataset.labels)
    order = np.random.default_rng(0).permutation(len(images))
    learned, held_out = order[: len(order) * 2 // 3], order[len(order) * 2 // 3 :]

    torch.manual_seed(0)
    network = small_net(channels=1, classes=len(dataset.classes), size=16)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    pixels = ((torch.from_numpy(images).float() / 255 - 0.3) / 0.35).permute(0, 3, 1, 2)
    for _ in range(15):
        for part in np.array_split(np.random.default_rng(1).permutation(learned), 20):
            loss = nn.functional.cross_entropy(network(pixels[part]), torch.from_numpy(labels[part]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    recognizer = Recognizer(network.eval(), "small_net", {}, preprocess, dataset.classes)
    made_from = fingerprint(
        dataset.sources, [dataset.classes[label] for label in labels], content_hashes(dataset)
    )
    counts = Images(fit=len(learned), calib=len(held_out), test=0)
    exported = bundle(
        recognizer,
        out / "elsewhere.foveal",
        calib=Examples(images, labels, held_out),  # confidence and thresholds are fitted on these
        origin=Origin(Data(fingerprint=made_from, split_seed=0, images=counts), source="trained elsewhere"),
    )
    difference = exported.parity.max_abs_difference
    print(f"trained elsewhere: the file differs from the network by {difference:.1g} at most")
    if exported.bundle is None:
        raise SystemExit("the exported file decides differently from the network")
    return exported.bundle


def main(out: Path, data: Path | None = None) -> None:
    """Make both bundles and ask them about a picture."""
    out.mkdir(parents=True, exist_ok=True)
    data = data or lay_out("digits", out / "digits")
    torch.set_num_threads(1)
    for path in (trained_by_foveal(data, out), trained_elsewhere(data, out)):
        picture = sorted(data.rglob("*.png"))[0]
        (answer,) = foveal.load(path).predict([picture])
        print(f"{path.name}: {picture.parent.name}/{picture.name} is {answer.label}, {answer.confidence:.2f}")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3] or ["own_model"]))

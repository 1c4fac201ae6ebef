"""Training speed for the same network, size and batch: foveal's loop beside fastai's and Ultralytics'.

    python benchmarks/train_throughput.py TREE --peer-python PEERS/bin/python
    python benchmarks/train_throughput.py TREE --model resnet18 --size 224 --batch 32 --peer-python …

TREE is an image folder with train/ and test/. All train the same network from the files, each with its own
loader, augmentation, optimizer and precision, in a process of its own, interleaved. The first pass
(kernels, caches, decoding) is not counted; the median of the rounds is printed.
The peers live in an environment of their own (pip install fastai ultralytics).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PASSES = 3
# Peers see the file with our network; it needs torch and nothing else.
SEEN = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1] / "src")}


@dataclass(frozen=True)
class Task:
    """What everybody trains.

    Attributes:
        tree: Image folder with train/ and test/.
        model: `nano`, or the name of a model of torchvision.
        size: Side of the input in pixels.
        batch: Images per step.
    """

    tree: Path
    model: str
    size: int
    batch: int

    def network(self, classes: int) -> Any:
        """Return the network with its first weights."""
        import torch
        import torchvision

        torch.manual_seed(0)
        if self.model == "nano":
            from foveal.models.nano import nano

            return nano(channels=3, classes=classes, size=self.size)
        return getattr(torchvision.models, self.model)(num_classes=classes)


def ours(task: Task) -> dict[str, Any]:
    from foveal.core.machine import usable_cpus
    from foveal.core.progress import silent
    from foveal.data import opening
    from foveal.flows._prepare import Wishes, prepare
    from foveal.train.examples import Examples
    from foveal.train.loop import fit
    from foveal.train.objectives.supervised import Supervised
    from foveal.train.plan import Plan

    with tempfile.TemporaryDirectory() as run:
        threads = usable_cpus()
        prepared = prepare(
            opening.open(task.tree), Path(run), Wishes(task.size, 0, False, threads), progress=silent
        )
        examples = Examples(prepared.store.images, prepared.store.labels, prepared.split.fit)
        steps = len(examples) // task.batch * (PASSES + 1)
        plan = Plan(
            model=task.model,
            arguments={},
            images=len(examples),
            steps=steps,
            batch_size=task.batch,
            learning_rate=0.01,
            weight_decay=1e-3,
            label_smoothing=0.1,
            ema_share=0.1,
            augmentation={"flip": 1.0, "shift": 0.0625, "affine": 0.7},
            precision="bf16",
            seed=0,
            threads=threads,
            step_seconds=0.0,
        )
        objective = Supervised(
            task.network(len(prepared.dataset.classes)),
            classes=len(prepared.dataset.classes),
            preprocess=prepared.preprocess,
            augmentation=plan.augmentation,
            label_smoothing=plan.label_smoothing,
        )
        marks: list[float] = []
        fitted = fit(objective, examples, plan, progress=lambda *_: marks.append(time.perf_counter()))
    counted = marks[steps // (PASSES + 1) - 1 :]
    rate = task.batch * (len(counted) - 1) / (counted[-1] - counted[0])
    return {"images_per_second": rate, "data_wait_share": fitted.waiting_share}


def fastai(task: Task) -> dict[str, Any]:
    from fastai.callback.core import Callback
    from fastai.vision.all import ImageDataLoaders, Learner, Resize, aug_transforms

    loaders = ImageDataLoaders.from_folder(
        task.tree,
        train="train",
        valid="test",
        item_tfms=Resize(task.size),
        batch_tfms=aug_transforms(),
        bs=task.batch,
        num_workers=2,
    )
    marks: list[tuple[float, float]] = []

    class Clock(Callback):
        def before_train(self) -> None:
            self.started = time.perf_counter()

        def after_train(self) -> None:
            marks.append((self.started, time.perf_counter()))

    learner = Learner(loaders, task.network(loaders.c), cbs=Clock())
    with learner.no_bar(), learner.no_logging():
        learner.fit(PASSES + 1)
    return {"images_per_second": _rate(marks, len(loaders.train) * task.batch)}


def ultralytics(task: Task) -> dict[str, Any]:
    import torch
    from torch import nn
    from ultralytics.models.yolo.classify import ClassificationTrainer

    class Net(nn.Module):
        """The network with the face that Ultralytics' trainer expects of a model."""

        def __init__(self, classes: int) -> None:
            super().__init__()
            self.net = task.network(classes)
            self.stride = torch.tensor([32])
            self.names: dict[int, str] = {}
            self.criterion = None

        def forward(self, x: Any, augment: bool = False) -> Any:
            return self.loss(x) if isinstance(x, dict) else self.net(x)

        def loss(self, batch: Any, predictions: Any = None) -> Any:
            logits = self.net(batch["img"]) if predictions is None else predictions
            value = nn.functional.cross_entropy(logits, batch["cls"])
            return value, {"loss": value.detach()}

    class Trainer(ClassificationTrainer):  # type: ignore[misc]
        def setup_model(self) -> None:
            self.model = Net(self.data["nc"])

        def final_eval(self) -> None:
            """No second evaluation: only training is timed."""

        def save_model(self) -> None:
            """Nothing is kept."""

    with tempfile.TemporaryDirectory() as out:
        trainer = Trainer(
            overrides={
                "data": str(task.tree), "imgsz": task.size, "batch": task.batch,
                "epochs": PASSES + 1, "device": "cpu",
                "workers": 2, "project": out, "val": False, "plots": False, "amp": False, "verbose": False,
                "model": "resnet18", "pretrained": False,
            }
        )  # fmt: skip
        marks: list[tuple[float, float]] = []
        trainer.add_callback("on_train_epoch_start", lambda t: marks.append((time.perf_counter(), 0.0)))
        trainer.add_callback(
            "on_train_epoch_end", lambda t: marks.append((marks.pop()[0], time.perf_counter()))
        )
        trainer.train()
        images = len(trainer.train_loader.dataset)
    return {"images_per_second": _rate(marks, images)}


def _rate(marks: list[tuple[float, float]], images: int) -> float:
    return statistics.median(images / (end - start) for start, end in marks[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("tree", type=Path)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer-python", type=Path)
    parser.add_argument("--only", choices=("ours", "fastai", "ultralytics"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only:
        result = globals()[given.only](Task(given.tree, given.model, given.size, given.batch))
        print("\n" + json.dumps(result))
        return
    pythons = {"ours": sys.executable}
    if given.peer_python:
        pythons |= {"fastai": str(given.peer_python), "ultralytics": str(given.peer_python)}
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in pythons}
    for _ in range(given.rounds):
        for name, python in pythons.items():
            task = ["--model", given.model, "--size", str(given.size), "--batch", str(given.batch)]
            options = [str(given.tree), *task, "--only", name]
            done = subprocess.run(
                [python, __file__, *options], capture_output=True, text=True, check=False, env=SEEN
            )
            if done.returncode:
                sys.exit(f"{name} failed:\n{done.stderr[-2000:]}")
            found[name].append(json.loads(done.stdout.splitlines()[-1]))
    medians = {name: statistics.median(r["images_per_second"] for r in rows) for name, rows in found.items()}
    for name, rate in medians.items():
        print(f"{name:<12}{rate:8.0f} images/s   foveal is {medians['ours'] / rate:.2f}× as fast")
    print(f"waiting for data {max(r['data_wait_share'] for r in found['ours']):.2%} of the time")


if __name__ == "__main__":
    main()

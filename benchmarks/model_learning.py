"""Does each family learn in minutes, and by which settings? A few hundred steps on a few thousand pictures.

python benchmarks/model_learning.py DATA NAME[=OPTIMIZER:RATE[:BATCH[:WARM_UP]]]… [--steps 150]

DATA is anything `foveal check` recognizes. Every network sees the same pictures in the same order at 32
pixels, in bf16 on one thread, with its coarsest stem. Prints a row per network: accuracy on the held-out part
with its exact 95 % interval, seconds, last loss.
"""

import argparse
import dataclasses
import tempfile
from pathlib import Path

import numpy as np
import torch

from foveal import models
from foveal.core.progress import silent
from foveal.core.types import Measured
from foveal.data import opening
from foveal.flows._prepare import Prepared, Wishes, prepare
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.tasks.recognizer import Recognizer
from foveal.train.loop import fit, settings
from foveal.train.plan import Plan
from foveal.train.starting import start

SIZE, AUGMENTATION = 32, {"flip": 1.0, "shift": 0.0625}


def learned(spec: str, prepared: Prepared, steps: int) -> tuple[str, Measured, float, float]:
    name, _, wanted = spec.partition("=")
    architecture = models.architecture(name)
    chosen = architecture.settings
    if wanted:
        optimizer, rate, *rest = wanted.split(":")
        warm_up = float(rest[1]) if rest[1:] else 0.1 if optimizer == "adam" else 0.0
        more = {"batch_size": int(rest[0])} if rest else {}
        decay = 0.05 if optimizer == "adam" else 1e-3
        changes = {"optimizer": optimizer, "learning_rate": float(rate), "weight_decay": decay, **more}
        chosen = dataclasses.replace(chosen, warm_up_share=warm_up, **changes)
    classes = len(prepared.dataset.classes)
    examples = prepared.examples("fit")
    arguments = {"channels": 3, "classes": classes, "size": SIZE, **architecture.variants(SIZE)[0]}
    plan = Plan(
        model=architecture.name, arguments=arguments, images=len(examples), steps=steps,
        batch_size=min(128, chosen.batch_size),
        optimizer=chosen.optimizer, learning_rate=chosen.learning_rate,
        head_rate=chosen.head_rate, warm_up_share=chosen.warm_up_share, weight_decay=chosen.weight_decay,
        label_smoothing=0.2, ema_share=0.03, augmentation=AUGMENTATION, precision="bf16", seed=0, threads=1,
        step_seconds=0.0,
    )  # fmt: skip
    with settings(plan):
        objective = start(plan, architecture, examples, prepared.preprocess, classes=classes)
        fitted = fit(objective, examples, plan)
        kept = (architecture.name, arguments, prepared.preprocess, prepared.dataset.classes)
        made = Recognizer(objective.deployable(), *kept).with_weights(fitted.weights)
        held = prepared.examples("test")
        right = made.logits(held.images[held.indices]).argmax(1) == held.labels[held.indices]
    return name, clopper_pearson(int(np.sum(right)), len(right)), fitted.seconds, fitted.history[-1]["loss"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("specs", nargs="+")
    parser.add_argument("--steps", type=int, default=150)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        prepared = prepare(
            opening.open(asked.data), Path(folder), Wishes(SIZE, 0, False, 1, None), progress=silent
        )
        for spec in asked.specs:
            name, found, seconds, loss = learned(spec, prepared, asked.steps)
            print(
                f"| {name} | {spec.partition('=')[2] or 'as chosen'} | {found.value:.3f} "
                f"({found.low:.3f}–{found.high:.3f}, n={found.n}) | {seconds:.0f} | {loss:.3f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()

"""Spiking networks against a linear head on the same kind of features, and accuracy against time.

    python benchmarks/spiking.py FASHION --epochs 10 --models v4-lif v4-lif-current spiking-cnn row-gru nano

Trains each model once with `foveal train` at the same size, passes and seed, and prints for each the accuracy
of the sealed file; for those that decide in time also accuracy by readout at every step, when the first
output spike comes, ties, spikes and operations. `v4-lif-current` is at once the linear head (its file) and
the LIF head that constant currents drive (its spike counts).
"""

import argparse
from pathlib import Path
from typing import Any

from foveal.core import units
from foveal.flows.train import train_or_resume
from foveal.train.recipe import Recipe

SHOWN = (1, 2, 4, 8, 12, 16)


def trained(data: str, model: str, arguments: argparse.Namespace, out: Path) -> dict[str, Any]:
    """Return the `foveal.train/1` document; what was learned is not learned again."""
    recipe = Recipe(model=model, size=arguments.size, threads=arguments.threads, baseline=False)
    if arguments.time:
        recipe = recipe.changed(time_seconds=units.seconds(arguments.time))
    else:
        recipe = recipe.changed(epochs=arguments.epochs)
    return train_or_resume(data, recipe=recipe, out=out).document


def share(value: dict[str, Any]) -> str:
    return f"{value['value']:.4f} [{value['low']:.4f}, {value['high']:.4f}]"


def show(model: str, document: dict[str, Any]) -> None:
    accuracy, parity = document["metrics"]["test"]["accuracy"], document["parity"]
    print(
        f"{model}: {share(accuracy)} n={accuracy['n']}, {document['epochs']:.1f} passes, "
        f"{document['train_seconds']:.0f} s, parity {parity['max_abs_difference']:.1e}"
    )
    course = document["over_time"]
    if course is None:
        return
    for name, values in course["accuracy"].items():
        shown = (f"{step}: {values[step - 1]['value']:.4f}" for step in SHOWN if step <= course["steps"])
        print(f"    {name:12} {'  '.join(shown)}")
    decided, when = course["decided"][-1], course["decision_step"]
    print(f"    decided by a spike {share(decided)}, step {when}, enough {course['enough']}")
    print(f"    ties { ({name: round(value['value'], 4) for name, value in course['ties'].items()}) }")
    print(
        f"    inner spikes {course['spikes_per_image'][-1]:.0f}, "
        f"synaptic operations {course['operations_per_image'][-1]:.0f}, "
        f"multiply-adds of the same layers {course['multiply_adds']}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data")
    parser.add_argument("--models", nargs="+", default=["v4-lif", "v4-lif-current", "spiking-cnn"])
    parser.add_argument("--epochs", type=float, default=10)
    parser.add_argument("--time", help="for each training, instead of passes")
    parser.add_argument("--size", type=int, default=28)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("runs/spiking"))
    arguments = parser.parse_args()
    for model in arguments.models:
        show(model, trained(arguments.data, model, arguments, arguments.out / model))


if __name__ == "__main__":
    main()

"""Inspect boards: learn from pairs, prove thresholds, let a station decide, and verify what it wrote down.

    python examples/inspect_boards.py OUT DATA [--epochs 100] [--max-miss 0.1] [--group none]

DATA is a set of pairs in one of the layouts of docs/annotations.md; this was made for DeepPCB (its README:
for research purpose only, github.com/tangsanli5201/DeepPCB) as it comes. Its boards are copper traces and all
of them have defects: of false calls nothing can be proven there. docs/benchmarks.md has the numbers.
"""

import argparse
import threading
from pathlib import Path
from typing import Any

from foveal.calibrate.inspection.fit import Demands
from foveal.flows.inspect_run import Wishes, inspect_run
from foveal.flows.inspect_train import Wanted, inspect_train
from foveal.flows.inspect_verify import inspect_verify
from foveal.train import Recipe


def main(out: Path, data: Path, recipe: Recipe, max_miss: float) -> None:
    made = inspect_train(data, Wanted(demands=Demands(miss=max_miss)), recipe, out=out / "run", force=True)
    if made["bundle"] is None:
        raise SystemExit("the exported file finds other things than the network: see the report")
    tell(made)
    station(Path(made["bundle"]), data, out / "audit")


def station(bundle: Path, data: Path, log: Path) -> None:
    """Let a line decide about all boards, and see that its log is what was written."""
    wishes = Wishes(log=log, lot="example")
    document, _ = inspect_run(
        bundle, str(data), wishes, tell=None, say=lambda text: None, stop=threading.Event()
    )
    rate, latency = document["pictures_per_second"], document["latency_ms"]
    if document["pictures"]:  # a second time all are in the log already
        print(f"line: {document['pictures']} boards, {rate:.1f} a second, p50 {latency['p50']:.0f} ms")
    checked = inspect_verify(log)
    print(
        f"log: {checked['records']} records, {'whole' if checked['ok'] else 'changed'}, {checked['verdicts']}"
    )


def tell(made: dict[str, Any]) -> None:
    """Print what was found of the defects, what is promised, and what was decided."""
    found, metrics = made["evaluation"], made["evaluation"]["metrics"]
    for name in ("map33", "f1", "defect_accuracy", "class_accuracy"):
        one = metrics[name]
        if one is not None:  # nothing was found that has a class
            print(f"{name}: {one['value']:.3f} ({one['low']:.3f} to {one['high']:.3f}), n={one['n']}")
    for kind in metrics["kinds"]:
        accuracy = kind["defect_accuracy"]
        if accuracy is not None:
            print(f"  {kind['name']}: {kind['defects']} defects, {accuracy['value']:.3f} found")
    for note in made["notes"]:
        print(f"not proven: {note}")
    for verdict, share in found["decisions"].items():
        print(f"{verdict}: {share['value']:.3f} ({share['low']:.3f} to {share['high']:.3f}), n={share['n']}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--epochs", type=float, help="passes over the pairs; default: as many as usual")
    parser.add_argument("--max-miss", type=float, default=0.1, help="share of defective boards to accept")
    parser.add_argument("--group", help="what belongs together; none: each board stands alone")
    given = parser.parse_args()
    main(given.out, given.data, Recipe(epochs=given.epochs, group=given.group), given.max_miss)

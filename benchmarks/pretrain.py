"""What learning without labels is worth: few labels afterwards, every method beside pixels, and its speed.

    python benchmarks/pretrain.py labels TREE [--method simclr] [--time 30m] [--fine 3m] [--seeds 0 1 2]
    python benchmarks/pretrain.py methods TREE [--time 10m] [--seeds 0 1 2]
    python benchmarks/pretrain.py rate TREE --peer-python PEERS/bin/python [--method simclr] [--model nano]

TREE is an image folder with train/ and test/ (benchmarks/lay_out.py makes one of CIFAR-10). `labels` learns
from the training pictures without labels, then trains with 1 % and 10 % of the labels (and as many more as
calibrate), of which a tree of their own is made, starting from what was learned and from scratch,
with the same augmentation and for the same time each, and with all labels from scratch for reference; all on
the whole test folder. `methods` compares the features of each method with those
of the untrained network and with the pixels. `rate` counts pictures a second of the training itself, beside
the transforms, loader, head and loss of lightly around the same network, in turns; the first pass is not
counted. The peer lives in an environment of its own (pip install lightly).
"""

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SHARES = (0.01, 0.1)
LEARNED = 0.85  # of the labelled pictures; the others calibrate
METHODS = ("simclr", "moco", "dino", "mae", "rotation", "jigsaw")
PASSES = 2
# The peer sees the file with our network; it needs torch and nothing else.
SEEN = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1] / "src")}


def foveal(*words: object) -> dict[str, Any]:
    line = [sys.executable, "-m", "foveal", *map(str, words), "--json", "-q"]
    done = subprocess.run(line, stdout=subprocess.PIPE, check=False)
    if done.returncode not in (0, 10):
        raise SystemExit(f"{' '.join(line)}: exit code {done.returncode}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def shown(measured: dict[str, Any]) -> str:
    low, high = measured["low"], measured["high"]
    return f"{measured['value']:.3f} ({low:.3f} to {high:.3f}, n={measured['n']})"


def few(tree: Path, share: float, out: Path) -> Path:
    """Link so much of a tree that a share of the training pictures is learned from, and all of its tests."""
    for folder in sorted((tree / "train").iterdir()):
        files = sorted(folder.iterdir())
        taken = random.Random(0).sample(files, round(share / LEARNED * len(files)))
        (out / "train" / folder.name).mkdir(parents=True)
        for path in taken:
            os.link(path, out / "train" / folder.name / path.name)
    shutil.copytree(tree / "test", out / "test", copy_function=os.link)
    return out


def labels(given: argparse.Namespace) -> None:
    gains: dict[float, list[float]] = {share: [] for share in SHARES}
    for seed in given.seeds:
        with tempfile.TemporaryDirectory(dir=given.tree.parent) as folder:  # links do not leave a disk
            out = Path(folder)
            alone = foveal(
                "pretrain", given.tree, "--method", given.method, "--time", given.time,
                "--model", given.model, "--seed", seed, "--out", out / "pretrain",
            )  # fmt: skip
            probe, before = alone["probe"], alone["baseline"]["untrained"]
            print(
                f"seed {seed}: {given.method}, {alone['epochs']:.3g} passes in {alone['seconds']:.0f} s;",
                f"kNN {shown(probe['knn'])}, planes {shown(probe['linear'])};",
                f"untrained {shown(before['knn'])}, {shown(before['linear'])}",
                flush=True,
            )
            for share in SHARES:
                some = few(given.tree, share, out / f"tree-{share}")
                usual = ("--seed", seed, "--time", given.fine, "--no-baseline")
                pair = [
                    foveal("train", some, *usual, *start, "--out", out / f"{share}-{name}")
                    for name, start in (
                        ("tuned", ("--from", out / "pretrain", "--no-scratch")),
                        ("scratch", ("--model", given.model)),
                    )
                ]
                tuned, scratch = (one["metrics"]["test"]["accuracy"] for one in pair)
                gains[share].append(tuned["value"] - scratch["value"])
                print(
                    f"  {share:.0%} of the labels: {shown(tuned)} from scratch {shown(scratch)};",
                    f"passes {pair[0]['epochs']:.3g} and {pair[1]['epochs']:.3g}",
                    flush=True,
                )
            if seed == given.seeds[0]:
                whole = foveal(
                    "train", given.tree, "--time", given.whole, "--seed", seed, "--no-baseline",
                    "--model", given.model, "--out", out / "whole",
                )  # fmt: skip
                print(
                    f"  all labels from scratch, {given.whole}: {shown(whole['metrics']['test']['accuracy'])}"
                )
    for share, found in gains.items():
        points = [round(100 * gain, 1) for gain in found]
        print(f"{share:.0%}: gain {statistics.fmean(points):.1f} points in the mean of {points}")


def methods(given: argparse.Namespace) -> None:
    for method in given.only_methods:
        model = "vit_tiny" if method == "mae" and given.transformer else given.model
        for seed in given.seeds:
            with tempfile.TemporaryDirectory() as folder:
                found = foveal(
                    "pretrain", given.tree, "--method", method, "--time", given.time, "--model", model,
                    "--seed", seed, "--out", Path(folder) / "run",
                )  # fmt: skip
            rows = {"learned": found["probe"], **found["baseline"]}
            print(
                f"{method} {model} seed {seed}: {found['epochs']:.3g} passes,",
                f"pretext {found['pretext_accuracy'] or found['loss']:.3f};",
                f"rank {found['probe']['rank']:.0f};",
                "; ".join(f"{k} kNN {shown(r['knn'])} planes {shown(r['linear'])}" for k, r in rows.items()),
                flush=True,
            )


def ours(given: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        found = foveal(
            "pretrain", given.tree, "--method", given.method, "--model", given.model, "--size", given.size,
            "--epochs", PASSES, "--batch-size", given.batch, "--probes", 1, "--out", Path(folder) / "run",
        )  # fmt: skip
    return {"images_per_second": found["images_per_second"], "precision": found["plan"]["precision"]}


def lightly(given: argparse.Namespace) -> dict[str, Any]:
    """Train as the examples of lightly do: its transform, head and loss, torch's loader with two workers."""
    import torch
    from lightly.loss import NTXentLoss
    from lightly.models.modules import SimCLRProjectionHead
    from lightly.transforms import SimCLRTransform
    from torchvision.datasets import ImageFolder

    from foveal import models
    from foveal.models._head import head_of, without_head

    transform = SimCLRTransform(input_size=given.size, gaussian_blur=0.0)
    loader = torch.utils.data.DataLoader(
        ImageFolder(str(given.tree / "train"), transform=transform),
        batch_size=given.batch,
        shuffle=True,
        drop_last=True,
        num_workers=2,
    )
    whole = models.architecture(given.model).build(channels=3, classes=2, size=given.size)
    width = head_of(whole)[1].in_features
    network, head = without_head(whole), SimCLRProjectionHead(width, 2 * width, 128)
    memory = {} if given.method == "simclr" else {"memory_bank_size": (4096, 128)}
    criterion = NTXentLoss(temperature=0.2, **memory)
    parameters = [*network.parameters(), *head.parameters()]
    optimizer = torch.optim.SGD(parameters, lr=0.06, momentum=0.9, weight_decay=5e-4)
    rates = []
    for number in range(PASSES):
        started, seen = time.perf_counter(), 0
        for views, _ in loader:
            first, second = (head(network(view)) for view in views)
            loss = criterion(first, second)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            seen += len(views[0])
            if number and given.most and seen >= given.most:
                break
        rates.append(seen / (time.perf_counter() - started))
    return {"images_per_second": rates[-1], "precision": "fp32"}


def rate(given: argparse.Namespace) -> None:
    if given.only:
        print(json.dumps({"ours": ours, "lightly": lightly}[given.only](given)))
        return
    found: dict[str, list[float]] = {"ours": [], "lightly": []}
    for _ in range(given.rounds):
        for name, python in (("ours", sys.executable), ("lightly", str(given.peer_python))):
            line = [python, __file__, "rate", str(given.tree), "--only", name, "--method", given.method]
            line += ["--model", given.model, "--size", str(given.size), "--batch", str(given.batch)]
            done = subprocess.run(line, stdout=subprocess.PIPE, check=True, env=SEEN)
            found[name].append(json.loads(done.stdout.splitlines()[-1])["images_per_second"])
            print(name, round(found[name][-1], 1), flush=True)
    middle = {name: statistics.median(rates) for name, rates in found.items()}
    print(
        {name: round(value, 1) for name, value in middle.items()},
        f"ratio {middle['ours'] / middle['lightly']:.2f}",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=("labels", "methods", "rate"))
    parser.add_argument("tree", type=Path)
    parser.add_argument("--method", default="simclr")
    parser.add_argument("--only-methods", nargs="+", default=METHODS)
    parser.add_argument("--transformer", action="store_true", help="mae with vit-tiny instead of --model")
    parser.add_argument("--model", default="nano")
    parser.add_argument("--time", default="30m")
    parser.add_argument("--fine", default="3m")
    parser.add_argument("--whole", default="30m", help="of the reference with all labels")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--most", type=int, default=0, help="pictures of the peer's second pass; 0: all")
    parser.add_argument("--peer-python", type=Path)
    parser.add_argument("--only", choices=("ours", "lightly"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    {"labels": labels, "methods": methods, "rate": rate}[given.what](given)


if __name__ == "__main__":
    main()

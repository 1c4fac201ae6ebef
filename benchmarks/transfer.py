"""What pre-training is worth on a small data set, and how fast features are extracted.

    python benchmarks/transfer.py accuracy DATA [--model efficientnet-lite0]
    python benchmarks/transfer.py rate DATA [--model efficientnet-lite0] [--threads 2]

`accuracy` runs `foveal train DATA --transfer` twice: without the network from scratch, for the seconds of the
whole command (from its start to its end, Python's imports included, no feature cached), and with it,
for the paired difference. `rate` prints pictures a second from JPEG files to features, decoding and resizing
included, and those of the bare engine on pictures that are ready, in turns, three rounds.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from foveal.core.machine import usable_cpus
from foveal.core.parallel import in_order
from foveal.core.progress import silent
from foveal.data import opening
from foveal.flows import _transfer
from foveal.flows._features import BATCH, Backbone, View, extracted
from foveal.flows._prepare import Wishes, prepare
from foveal.models._head import head_of, without_head
from foveal.models.pretrained._fitting import fit_to
from foveal.train.recipe import Recipe


def trained(data: str, model: str, out: Path, *options: str) -> tuple[dict[str, Any], float]:
    command = [sys.executable, "-m", "foveal", "train", data, "--transfer", "--model", model, "--no-baseline"]
    environment = {**os.environ, "XDG_CACHE_HOME": str(out.parent / f"cache-{out.name}")}
    started = time.monotonic()
    line = [*command, "--out", str(out), "--json", "-q", *options]
    done = subprocess.run(line, stdout=subprocess.PIPE, check=True, env=environment)
    return json.loads(done.stdout), time.monotonic() - started


def shown(measured: dict[str, Any]) -> str:
    low, high = measured["low"], measured["high"]
    return f"{measured['value']:.3f} ({low:.3f} to {high:.3f}, n={measured['n']})"


def accuracy(data: str, model: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        document, seconds = trained(data, model, Path(folder) / "alone", "--no-scratch")
        print(f"transfer {shown(document['metrics']['test']['accuracy'])} in {seconds:.1f} s, whole command")
        document, _ = trained(data, model, Path(folder) / "beside")
        scratch = document["baseline"]["scratch"]
        print(f"from scratch: {scratch.get('skipped') or shown(scratch['accuracy'])}")
        if "paired" in scratch:
            difference = scratch["paired"]["difference"]
            print("difference", {name: round(difference[name], 3) for name in ("value", "low", "high")})


def rate(data: str, model: str, threads: int) -> None:
    recipe = Recipe(model=model, transfer=True)
    weights = _transfer.origin_of(recipe)
    assert weights is not None
    dataset, architecture = opening.open(data), _transfer.transferred(recipe.architecture)
    like = _transfer.preprocess_for(dataset, recipe, weights)
    network = architecture(channels=like.channels, classes=2, size=like.size).eval()
    network.load_state_dict(fit_to(network, weights, apart=architecture.expansion))
    backbone = Backbone(without_head(network), head_of(network)[1].in_features, like)
    session = backbone.session
    ratios = []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as folder:
            wishes = Wishes(None, 0, False, threads, None, like)
            started = time.monotonic()
            prepared = prepare(dataset, Path(folder), wishes, progress=silent)
            decoding = time.monotonic() - started
            rows = np.arange(len(dataset))
            ready = [np.asarray(prepared.store.images[k : k + BATCH]) for k in rows[::BATCH]]
            started = time.monotonic()
            list(in_order(session.run, ready, workers=threads, name="bare"))
            bare = time.monotonic() - started
            started = time.monotonic()
            extracted(backbone, prepared, rows, view=View(), threads=threads, progress=silent)
            whole = time.monotonic() - started + decoding
        ratios.append(bare / whole)
        print(f"bare {len(rows) / bare:.0f}/s, JPEG to features {len(rows) / whole:.0f}/s")
    print(f"{statistics.median(ratios):.2f} of the bare engine")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["accuracy", "rate"])
    parser.add_argument("data")
    parser.add_argument("--model", default="efficientnet-lite0")
    parser.add_argument("--threads", type=int, default=usable_cpus())
    given = parser.parse_args()
    if given.what == "accuracy":
        accuracy(given.data, given.model)
    else:
        rate(given.data, given.model, given.threads)


if __name__ == "__main__":
    main()

"""What a handful of pictures teaches: accuracy, unknown classes and time, on grocery packages.

    python benchmarks/teach.py DATA [--unknown OTHER ...] [--draws 3] [--json FILE]

DATA has train/ and test/ with a folder for each class. A draw takes 1, 2, 5 or 10 pictures of each class from
train and measures on all of test; the pictures of train that were not drawn show whether promises hold where
pictures are alike. Unknown: a quarter of the classes is not taught, and told from the others by the graph's
own score; `--unknown` names data sets of other things, of which 200 pictures each are told from those of test
in the same way. The commands are timed on the first draw of five, wall and processor seconds.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.embedder import Embedder, unit
from foveal.calibrate.temperature import calibrated
from foveal.core.progress import silent
from foveal.core.random import stream
from foveal.data import opening
from foveal.fewshot.deciding import Learned, learned
from foveal.fewshot.taught import Taught, taught
from foveal.flows._fewshot import features_of
from foveal.flows._kept_embedders import kept_embedder
from foveal.metrics.auroc import auroc
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.tasks.classify.decode import prediction_sets

SHOTS = (1, 2, 5, 10)
HEADS = ("auto", "prototype", "ridge", "cosine")
SUBSETS = 10

Array = NDArray[Any]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--backbone", default="efficientnet-lite0")
    parser.add_argument("--unknown", type=Path, nargs="*", default=[])
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--untimed", action="store_true")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    dataset = opening.open(asked.data)
    embedder = kept_embedder(asked.backbone, dataset, model=None, size=None)
    pictures = [(dataset.sources[i], dataset.read(i)) for i in range(len(dataset))]
    features = features_of(embedder, pictures, seed=0, threads=os.cpu_count() or 1, progress=silent)
    known = Known(features, dataset.labels, np.array(dataset.splits), dataset.classes)
    found = {"accuracy": accuracies(known, asked.draws), "unknown": unknowns(known)}
    found["far"] = [row for path in asked.unknown for row in far(known, embedder, path, draws=asked.draws)]
    if not asked.untimed:
        found["seconds"] = timed(asked.data, asked.backbone)
    print(json.dumps(found, indent=1))
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1))


class Known:
    """Features (N, V, D), labels, splits and names of all pictures."""

    def __init__(self, features: Array, labels: Array, splits: Array, classes: tuple[str, ...]) -> None:
        self.features, self.labels, self.classes = features, labels, classes
        self.train, self.test = np.flatnonzero(splits != "test"), np.flatnonzero(splits == "test")

    def draw(self, shots: int, seed: int, keep: set[int] | None = None) -> tuple[Array, Array]:
        """Return which train pictures are taught, and which are left."""
        rng = stream(seed, "draw")
        chosen = []
        for label in range(len(self.classes)):
            mine = rng.permutation(self.train[self.labels[self.train] == label])[:shots]
            if keep is None or label in keep:
                chosen += mine.tolist()
        return np.array(chosen), np.setdiff1d(self.train, chosen)

    def learned(self, rows: Array, head: str) -> tuple[Taught, Learned]:
        """Return what these pictures teach."""
        names = [self.classes[label] for label in self.labels[rows]]
        what = taught(names, self.features[rows], np.arange(len(rows)))
        return what, learned(what, head=head)

    def answers(self, what: Taught, lesson: Learned, rows: Array) -> tuple[Array, Array, Array]:
        """Return probabilities, how unknown, and labels among the taught classes (-1: not taught)."""
        logits, strange = lesson.fitted.answers(unit(self.features[rows, 0]).astype(np.float64))
        number = {name: k for k, name in enumerate(what.classes)}
        labels = np.array([number.get(self.classes[label], -1) for label in self.labels[rows]])
        return calibrated(logits.astype(np.float32), lesson.temperature), strange, labels


def accuracies(known: Known, draws: int) -> list[dict[str, Any]]:
    rows = []
    for head in HEADS:
        for shots in SHOTS if head == "auto" else (5,):
            told = [measured(known, shots, head, seed) for seed in range(draws)]
            right, n = sum(one["right"] for one in told), sum(one["n"] for one in told)
            means = {
                k: float(np.mean([one[k] for one in told])) for k in told[0] if k not in ("heads", "right")
            }
            each = [one["right"] / one["n"] for one in told]
            interval = clopper_pearson(right, n).as_json()
            rows.append({"head": head, "shots": shots, "accuracy": interval, "each": each, **means})
            rows[-1]["chosen"] = [one["heads"] for one in told]
            print(rows[-1], file=sys.stderr, flush=True)
    return rows


def measured(known: Known, shots: int, head: str, seed: int) -> dict[str, Any]:
    taken, left = known.draw(shots, seed)
    what, lesson = known.learned(taken, head)
    found, strange, labels = known.answers(what, lesson, known.test)
    right = found.argmax(axis=1) == labels
    result = {"heads": lesson.head, "right": int(right.sum()), "n": len(labels)}
    asked = lesson.held_out
    if len(asked.rows):
        result["left_out"] = float((asked.logits[lesson.head].argmax(axis=1) == asked.labels).mean())
    result["confidence"] = float(found.max(axis=1).mean())
    for name, rows in (("test", known.test), ("rest", left)):
        found, strange, labels = known.answers(what, lesson, rows)
        covered = prediction_sets(found, lesson.decision.conformal)[np.arange(len(labels)), labels]
        result[f"covered_{name}"] = float(covered.mean())
        rule = lesson.decision.unknown
        if rule.threshold is not None:
            result[f"called_unknown_{name}"] = float((strange > rule.threshold).mean())
    return result


def unknowns(known: Known) -> list[dict[str, Any]]:
    rows = []
    for shots in (5, 10):
        areas, caught = [], []
        for seed in range(SUBSETS):
            order = stream(seed, "classes").permutation(len(known.classes))
            keep = set(order[len(order) // 4 :].tolist())
            taken, _ = known.draw(shots, seed, keep)
            what, lesson = known.learned(taken, "auto")
            _, strange, labels = known.answers(what, lesson, known.test)
            areas.append(auroc(strange[labels < 0], strange[labels >= 0]).value)
            caught.append(float((strange[labels < 0] > lesson.decision.unknown.threshold).mean()))
        half = 1.96 * np.std(areas, ddof=1) / len(areas) ** 0.5
        rows.append(
            {
                "shots": shots,
                "auroc": float(np.mean(areas)),
                "interval": [float(np.mean(areas) - half), float(np.mean(areas) + half)],
                "caught": float(np.mean(caught)),
                "subsets": SUBSETS,
            }
        )
        print(rows[-1], file=sys.stderr, flush=True)
    return rows


def far(known: Known, embedder: Embedder, path: Path, *, draws: int) -> list[dict[str, Any]]:
    """Return how well 200 pictures of other things are told from those of test, by what each draw taught."""
    dataset = opening.open(path)
    some = stream(0, "far").permutation(len(dataset))[:200]
    pictures = [(dataset.sources[row], dataset.read(row)) for row in some.tolist()]
    seen = features_of(embedder, pictures, seed=0, threads=os.cpu_count() or 1, progress=silent)[:, 0]
    rows = []
    for seed in range(draws):
        what, lesson = known.learned(known.draw(5, seed)[0], "auto")
        _, strange = lesson.fitted.answers(unit(seen).astype(np.float64))
        _, usual, _ = known.answers(what, lesson, known.test)
        area, limit = auroc(strange, usual), lesson.decision.unknown.threshold
        caught = {
            "caught": float((strange > limit).mean()),
            "known_called_unknown": float((usual > limit).mean()),
        }
        rows.append({"unknown": path.name, "seed": seed, "auroc": area.as_json(), **caught})
        print(rows[-1], file=sys.stderr, flush=True)
    return rows


def timed(data: Path, backbone: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        folders = sorted((data / "train").iterdir())
        for folder in folders[:-1]:
            (place / "few" / folder.name).mkdir(parents=True)
            for picture in sorted(folder.iterdir())[:5]:
                shutil.copy(picture, place / "few" / folder.name)
        more = sorted(folders[-1].iterdir())[:5]
        cache = {"XDG_CACHE_HOME": str(place / "cache")}
        out = str(place / "t.foveal")
        teach = ["teach", backbone, str(place / "few"), "--out", out, "--force"]
        add = ["add", out, folders[-1].name, *map(str, more), "--force"]
        return {name: seconds(command, cache) for name, command in
                (("teach, first time", teach), ("teach, again", teach), ("add", add))}  # fmt: skip


def seconds(command: list[str], cache: dict[str, str]) -> dict[str, float]:
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    line = [sys.executable, "-m", "foveal", "fewshot", *command, "-q", "--json"]
    subprocess.run(line, check=True, env={**os.environ, **cache}, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall": time.monotonic() - begun, "processor": processor, "load": os.getloadavg()[0]}


if __name__ == "__main__":
    main()

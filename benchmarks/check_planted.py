"""What `foveal check` finds of planted faults: wrong labels, and copies that are no identical files.

    python benchmarks/check_planted.py DATA --flips 0.02 --copies 0.02

DATA is a folder with train/ and test/ above the class folders. A copy of it in a temporary folder gets 2 %
wrong labels in train and 2 % changed copies of pictures, half of them in the other split: saved again with
quality 50 to 95, resized by 0.5 to 2, cropped by up to 10 %, mirrored, brightened. The real command runs on
it.

Precision of copies: of the pairs with a planted copy, how many were planted. A picture's own near duplicates
in DATA pair with its copy, too, and count as false alarms; so do the wrong labels that DATA has of its own.
"""

import argparse
import io
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from foveal.metrics.clopper_pearson import clopper_pearson

KINDS = ("saved again", "resized", "cropped", "mirrored", "brighter")
Pair = tuple[str, str]


def check(data: Path, *, fast: bool, threads: int | None) -> tuple[dict[str, Any], float]:
    command = [
        sys.executable,
        "-c",
        "from foveal.cli import main; main()",
        "check",
        str(data),
        "--json",
        "-q",
    ]
    options = (["--fast"] if fast else []) + ([] if threads is None else ["--threads", str(threads)])
    started = time.monotonic()
    done = subprocess.run([*command, *options], stdout=subprocess.PIPE, check=False)
    return json.loads(done.stdout), time.monotonic() - started


def changed(image: Image.Image, kind: str, rng: np.random.Generator) -> bytes:
    """Return what people do to copies, as a JPEG of quality 50 to 95."""
    width, height = image.size
    if kind == "resized":
        factor = 2 ** rng.uniform(-1, 1)
        image = image.resize((max(8, round(width * factor)), max(8, round(height * factor))))
    elif kind == "cropped":
        kept = 1 - rng.uniform(0.02, 0.1)
        wide, high = max(8, round(width * kept)), max(8, round(height * kept))
        left, top = (int(rng.integers(0, room + 1)) for room in (width - wide, height - high))
        image = image.crop((left, top, left + wide, top + high))
    elif kind == "mirrored":
        image = ImageOps.mirror(image)
    elif kind == "brighter":
        gain, shift = rng.uniform(0.75, 1.25), rng.uniform(-25, 25)
        image = image.point(lambda level: int(min(255, max(0, gain * level + shift))))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=int(rng.integers(50, 96)))
    return file.getvalue()


def plant_flips(root: Path, share: float, rng: np.random.Generator) -> set[str]:
    """Move pictures of train into other classes; return their new names."""
    classes = sorted(folder.name for folder in (root / "train").iterdir())
    pictures = sorted(path for path in (root / "train").rglob("*") if path.is_file())
    flipped = set()
    for place in rng.choice(len(pictures), round(share * len(pictures)), replace=False):
        path = pictures[place]
        others = [name for name in classes if name != path.parent.name]
        new = root / "train" / str(rng.choice(others)) / f"{path.parent.name}-{path.name}"
        path.rename(new)
        flipped.add(new.relative_to(root).as_posix())
    return flipped


def plant_copies(root: Path, share: float, rng: np.random.Generator) -> dict[Pair, str]:
    """Write changed copies, by turns into the same and the other split; return what each pair is."""
    pictures = sorted(path for path in root.rglob("*") if path.is_file() and path.suffix != ".csv")
    planted = {}
    for number, place in enumerate(rng.choice(len(pictures), round(share * len(pictures)), replace=False)):
        path = pictures[place]
        split, name = path.relative_to(root).parts[:2]
        other = {"train": "test", "test": "train"}.get(split, split) if number % 2 else split
        copy = root / other / name / f"copy-{number}.jpg"
        if not copy.parent.is_dir():
            continue
        kind = KINDS[number // 2 % len(KINDS)]
        with Image.open(path) as image:
            copy.write_bytes(changed(image.convert("RGB"), kind, rng))
        pair = sorted((path.relative_to(root).as_posix(), copy.relative_to(root).as_posix()))
        planted[(pair[0], pair[1])] = kind
    return planted


def pairs(document: dict[str, Any]) -> set[Pair]:
    """Return every two members of a cluster."""
    found = set()
    for cluster in document["near_duplicates"]:
        for first, second in combinations(sorted(cluster["sources"]), 2):
            found.add((first, second))
    return found


def share(name: str, hits: int, of: int) -> None:
    print(f"{name:<50}{clopper_pearson(hits, of) if of else 'nothing there'}")


def say_copies(planted: dict[Pair, str], found: set[Pair]) -> None:
    by_kind: dict[str, list[bool]] = defaultdict(list)
    for pair, kind in planted.items():
        by_kind[kind].append(pair in found)
    for kind, hits in by_kind.items():
        share(f"copies found, {kind}", sum(hits), len(hits))
    share("copies found", sum(map(sum, by_kind.values())), len(planted))
    across = [pair for pair in planted if pair[0].split("/")[0] != pair[1].split("/")[0]]
    share("copies found, across splits", sum(pair in found for pair in across), len(across))
    copies = {name for pair in planted for name in pair if "/copy-" in name}
    reported = {pair for pair in found if not copies.isdisjoint(pair)}
    share("pairs with a copy that were planted (precision)", len(reported & set(planted)), len(reported))
    own = sum(copies.isdisjoint(pair) for pair in found)
    print(f"pairs without a planted copy, in the data as they are: {own}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--flips", type=float, default=0.02)
    parser.add_argument("--copies", type=float, default=0.02)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int)
    given = parser.parse_args()
    rng = np.random.default_rng(given.seed)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "data"
        shutil.copytree(given.data, root, ignore=shutil.ignore_patterns("*.cache"))
        flipped = plant_flips(root, given.flips, rng)
        planted = plant_copies(root, given.copies, rng)
        document, seconds = check(root, fast=False, threads=given.threads)
        _, structural = check(root, fast=True, threads=given.threads)
    print(f"{document['images']} images: {seconds:.0f} s, of them {structural:.0f} s for the structural part")
    found = pairs(document)
    say_copies(planted, found)
    suspects = [one["source"] for one in document["label_suspects"]]
    share("flips among the suspects (recall)", len(flipped & set(suspects)), len(flipped))
    share("suspects that are flips (precision)", len(flipped & set(suspects)), len(suspects))
    first = set(suspects[: len(flipped)])
    share(f"of the first {len(first)} suspects", len(flipped & first), len(first))
    for skipped in document["skipped"]:
        print(f"skipped {skipped['check']}: {skipped['reason']}")


if __name__ == "__main__":
    main()

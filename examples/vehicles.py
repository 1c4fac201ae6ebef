"""Find vehicles from above, tell the type and the colour of each, and count them at a line.

    python examples/vehicles.py OUT [--pictures 120] [--frames 1500] [--epochs 95]

Pictures and film are synthetic (docs/synthetic.md): drawn, so that type, colour and what crosses the line are
known. How well vehicles are told on photographs of a real road, they do not say. Needs the extra `video`.
"""

import argparse
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

import foveal
from foveal.flows.data_make import Wishes, make
from foveal.flows.evaluate import evaluate
from foveal.metrics.box_iou import box_iou
from foveal.train import Recipe

SAME = 0.5  # overlap of a box that was found and one that is there, from which on they mean one vehicle


def main(out: Path, pictures: int, frames: int, epochs: float | None) -> None:
    data, film = out / "vehicles", out / "road.mp4"
    if not film.exists():
        make("vehicles", data, Wishes(pictures=pictures))
        make("vehicles", film, Wishes(pictures=frames, seed=1))  # another road, in another light
    truth = json.loads(film.with_suffix(".json").read_text())
    learned = foveal.learn(data, recipe=Recipe(epochs=epochs), out=out / "run", force=True)
    if learned.bundle is None:
        raise SystemExit("the exported file finds other things than the network: see the report")
    metrics = evaluate(learned.bundle, data).report.as_json()["metrics"]
    print(f"synthetic pictures: mAP50 {metrics['map50']['value']:.3f} on {metrics['map50']['n']} of the test")
    for row in metrics.get("attributes", ()):
        if row["accuracy"] is not None:
            right, told = (f"{row[name]['value']:.0%}" for name in ("accuracy", "told"))
            print(f"  {row['attribute']}: right of {right} of {row['objects']} found; {told} are told")
    lines = out / "road.jsonl"
    compare(stream(learned.bundle, film, truth["line"], lines), truth)
    for name, counts in told_rightly(lines, truth).items():
        said = ", ".join(f"{count} {how}" for how, count in sorted(counts.items()))
        print(f"  {name} of the vehicles on its frames: {said}")


def stream(bundle: Path, film: Path, line: str, lines: Path) -> dict[str, Any]:
    """Return what `foveal stream` counts at the line; what it says of each frame is written, too."""
    lines.unlink(missing_ok=True)  # a file that is there is gone on with
    shown = lines.with_name("counted.mp4")
    command = [sys.executable, "-m", "foveal", "stream", str(bundle), str(film), "--anchor", "middle",
               "--line", f"gate={line}", "--sink", f"jsonl:{lines}", "--sink", f"video:{shown}",
               "--force", "--json", "--quiet"]  # fmt: skip
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def compare(told: dict[str, Any], truth: dict[str, Any]) -> None:
    """Print by how many the count is off."""
    print("synthetic film:")
    for side in ("to_right", "to_left"):
        counted, known = told["lines"]["gate"][side], truth["crossed"][side]["value"]
        print(
            f"  {side}: {counted['value']} counted ({counted['low']} to {counted['high']}), "
            f"{known} crossed: off by {counted['value'] - known:+d}"
        )


def told_rightly(lines: Path, truth: dict[str, Any]) -> dict[str, Counter[str]]:
    """Return for each attribute how often it was told rightly, wrongly and not at all, frame by frame."""
    counts: dict[str, Counter[str]] = {}
    for text in lines.read_text().splitlines():
        line = json.loads(text)
        found = line.get("result", {}).get("objects", [])
        there = truth["frames"][line["frame"]] if found else []
        if not there:
            continue
        near = box_iou(np.array([one["box"] for one in found]), np.array([one["box"] for one in there]))
        for one, overlaps in zip(found, near, strict=True):
            if overlaps.max() < SAME:
                continue
            known = there[int(overlaps.argmax())]["attributes"]
            for name, value in one.get("attributes", {}).items():
                said = "unknown" if value == "unknown" else "right" if value == known[name] else "wrong"
                counts.setdefault(name, Counter())[said] += 1
    return counts


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--pictures", type=int, default=120)
    parser.add_argument("--frames", type=int, default=1500)
    parser.add_argument("--epochs", type=float, help="passes over the pictures; default: as many as usual")
    given = parser.parse_args()
    main(given.out, given.pictures, given.frames, given.epochs)

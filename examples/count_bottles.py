"""Count bottles on a conveyor, and know by how many the count is off.

    python examples/count_bottles.py OUT [--pictures 120] [--frames 1500] [--epochs 95]

Pictures and film are synthetic (docs/synthetic.md): drawn, so that what crosses the line is known. How well
bottles are counted on photographs of a real belt, they do not say; how much of the error comes from
following and counting, they do. Needs the extra `video`.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import foveal
from foveal.flows.data_make import Wishes, make
from foveal.train import Recipe


def main(out: Path, pictures: int, frames: int, epochs: float | None) -> None:
    data, film = out / "belt", out / "belt.mp4"
    if not film.exists():
        make("conveyor", data, Wishes(pictures=pictures))
        make("conveyor", film, Wishes(pictures=frames, seed=1))  # another belt, in another light
    truth = json.loads(film.with_suffix(".json").read_text())
    learned = foveal.learn(data, recipe=Recipe(epochs=epochs), out=out / "run", force=True)
    if learned.bundle is None:
        raise SystemExit("the exported file finds other things than the network: see the report")
    found = learned.document["metrics"]["test"]["map50"]
    print(f"pictures: mAP50 {found['value']:.3f} on {found['n']} that it has not seen")
    compare(stream(learned.bundle, film, truth["line"], out / "counted.mp4"), truth)


def stream(bundle: Path, film: Path, line: str, shown: Path) -> dict[str, Any]:
    """Return what `foveal stream` counts at the line; a film of it is written, too."""
    command = [sys.executable, "-m", "foveal", "stream", str(bundle), str(film), "--anchor", "middle",
               "--line", f"gate={line}", "--sink", f"video:{shown}", "--force", "--json"]  # fmt: skip
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    return json.loads(done.stdout)


def compare(told: dict[str, Any], truth: dict[str, Any]) -> None:
    for side in ("to_right", "to_left"):
        counted, known = told["lines"]["gate"][side], truth["crossed"][side]
        off = counted["value"] - known["value"]
        print(
            f"{side}: {counted['value']} counted ({counted['low']} to {counted['high']}), "
            f"{known['value']} crossed: off by {off:+d}"
        )
        for name in truth["classes"]:
            seen, there = counted["by_label"].get(name, 0), known["by_label"].get(name, 0)
            print(f"  {name}: {seen} counted, {there} crossed: off by {seen - there:+d}")
    seconds = told["seconds"]
    print(f"{told['frames']} frames in {seconds:.1f} s: {told['frames'] / seconds:.0f} a second")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--pictures", type=int, default=120)
    parser.add_argument("--frames", type=int, default=1500)
    parser.add_argument("--epochs", type=float, help="passes over the pictures; default: as many as usual")
    given = parser.parse_args()
    main(given.out, given.pictures, given.frames, given.epochs)

"""Count what crosses a line in a film of yours, after boxes were drawn on a few of its frames.

    python examples/count_in_a_film.py OUT FILM BOXES.csv --line 0,216,768,216 [--epochs 100]
    python examples/count_in_a_film.py OUT FILM BOXES.csv --zone 0,0,640,0,640,360,0,360

BOXES.csv has a line `frame,label,left,top,right,bottom` for each object, and one with a frame alone where
nothing is. Two such tables lie in `annotations/` beside this file; they were drawn by hand on two films of
github.com/intel-iot-devkit/sample-videos (CC BY 4.0). Frames that are not in the table are never learned
from, but they show the same place in the same light: this is for a camera that stays where it is, and says
nothing about another one. Needs the extra `video`.
"""

import argparse
import csv
import json
import subprocess
import sys
from pathlib import Path

import av

import foveal
from foveal.train import Recipe

SIDES = ("left", "top", "right", "bottom")


def main(out: Path, film: Path, boxes: Path, places: list[str], epochs: float | None) -> None:
    data = lay_out(film, boxes, out / "frames")
    recipe = Recipe(transfer=True, epochs=epochs)
    learned = foveal.learn(data, recipe=recipe, out=out / "run", force=True)
    if learned.bundle is None:
        raise SystemExit("the exported file finds other things than the network: see the report")
    shown = f"video:{out / 'counted.mp4'}"
    command = [sys.executable, "-m", "foveal", "stream", str(learned.bundle), str(film), *places,
               "--anchor", "middle", "--sink", shown, "--force", "--json"]  # fmt: skip
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    told = json.loads(done.stdout)
    print(f"{told['frames']} frames in {told['seconds']:.1f} s; followed: {told['followed']}")
    for kind in ("lines", "zones"):
        for name, counts in told.get(kind, {}).items():
            for what, count in counts.items():
                print(f"{name}, {what}: {count['value']} ({count['low']} to {count['high']})")


def lay_out(film: Path, boxes: Path, folder: Path) -> Path:
    """Write the frames that are in the table as PNG, and the table as `foveal check` reads it."""
    rows: dict[int, list[dict[str, str]]] = {}
    with boxes.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            rows.setdefault(int(row["frame"]), []).append(row)
    folder.mkdir(parents=True, exist_ok=True)
    with av.open(str(film)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number in rows:
                frame.to_image().save(folder / f"{number:06d}.png")
    with (folder / "boxes.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["path", "label", *SIDES, "split"])
        for place, (number, objects) in enumerate(sorted(rows.items())):
            split = "val" if place % 4 == 3 else "train"  # what is shown is decided by every fourth frame
            for row in objects:
                table.writerow([f"{number:06d}.png", row["label"], *(row[side] for side in SIDES), split])
    return folder


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("film", type=Path)
    parser.add_argument("boxes", type=Path)
    parser.add_argument("--line", action="append", default=[], help="x,y,x,y in pixels of the frames")
    parser.add_argument("--zone", action="append", default=[], help="x,y,x,y,x,y… in pixels of the frames")
    parser.add_argument("--epochs", type=float, help="passes over the frames; default: as many as usual")
    given = parser.parse_args()
    asked = [text for kind in ("line", "zone") for one in getattr(given, kind) for text in (f"--{kind}", one)]
    main(given.out, given.film, given.boxes, asked, given.epochs)

"""Scuffles or not, in 48 films of surveillance cameras to learn from and 15 to test.

Makes a list of groups from the data set's own list of sources (`videos_sources.txt`: an address, and the
clips that were cut from it), trains with it, and prints the accuracy of the bundle on the test films.

    python benchmarks/video_fight.py ../shared/data/video_fight_surv OUT [--epochs 60]
"""

import argparse
import csv
import json
import re
from pathlib import Path

from foveal.flows.train import train
from foveal.train.recipe import Recipe

_ONE = re.compile(r"((?:no)?fi)(\d+)\s*:")
_SEVERAL = re.compile(r"(nofi|fi)(\d+)\s*-\s*(?:nofi|fi)(\d+)\s*:\s*(.+)")


def sources(text: str) -> dict[str, str]:
    """Return the source of each clip by its name, such as `nofi001`."""
    found, address = {}, ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("http"):
            address = line
        elif several := _SEVERAL.match(line):
            kind, first, last, name = several.groups()
            found |= {f"{kind}{n:03d}": name for n in range(int(first), int(last) + 1)}
        elif one := _ONE.match(line):
            found[f"{one[1]}{one[2]}"] = address
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--epochs", type=float, default=60)
    parser.add_argument("--models", default="cnn-gru,cnn-frame")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=None)
    arguments = parser.parse_args()
    known = sources((arguments.data / "videos_sources.txt").read_text(encoding="utf-8"))
    arguments.out.mkdir(parents=True, exist_ok=True)
    groups = arguments.out / "groups.csv"
    with groups.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["picture", "group"])
        for film in sorted(arguments.data.glob("*/*/*.mp4")):
            if film.stem in known:
                rows.writerow([film.relative_to(arguments.data).as_posix(), known[film.stem]])
    for model in arguments.models.split(","):
        recipe = Recipe(
            model=model,
            epochs=arguments.epochs,
            group=str(groups),
            seed=arguments.seed,
            threads=arguments.threads,
        )
        document = train(arguments.data, recipe=recipe, out=arguments.out / model, force=True).document
        test, baseline = document["metrics"]["test"]["accuracy"], document["baseline"]["accuracy"]
        row = {"model": model, "seed": arguments.seed, "train_seconds": document["train_seconds"]}
        print(json.dumps({**row, "accuracy": test, "majority": baseline}), flush=True)


if __name__ == "__main__":
    main()

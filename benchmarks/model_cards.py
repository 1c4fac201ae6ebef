"""Write docs/models/README.md: a card for each family, and what its members cost.

python benchmarks/model_cards.py                     computes, and takes measured times from model_cards.json
python benchmarks/model_cards.py --measure NAME…     times these members anew, here, before it writes

Parameters, multiply-adds and memory are computed. Times are those of ONNX Runtime for one picture on one
thread, from bytes to probabilities, with random weights, as `foveal models --recommend` measures them.
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from foveal import models
from foveal.core import catalog
from foveal.core.machine import cpu_name
from foveal.core.units import show_bytes
from foveal.data.clip import Clip
from foveal.data.preprocess import Preprocess
from foveal.flows._answer_time import answer_time
from foveal.models import Card
from foveal.models._cost import cost

PROJECT = Path(__file__).resolve().parent.parent
PAGE, MEASURED = PROJECT / "docs/models/README.md", PROJECT / "benchmarks/model_cards.json"
SIZES, CLASSES, FRAMES = (32, 224), 10, 8

TOP = """# Models, one by one

Written by `python benchmarks/model_cards.py`; which to choose: [models.md](../models.md). For 3 channels and
{classes} classes, at 32 and at 224 pixels, with the stem that the size calls for. *At once* is the memory of
the maps that must be there at the same time, weights apart. *ms* is the median answer of ONNX Runtime
for one picture, or a clip of {frames} frames, with one thread on {machine}, other work beside, which may
double it; – where it was not measured.
"""
HEAD = """
| model | parameters | multiply-adds | at once | ms | at 224: parameters | multiply-adds | at once | ms |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
"""


def row(name: str, measured: dict[str, Any]) -> str:
    cells = [f"`{name}`"]
    for size in SIZES:
        found = cost(name, size=size, classes=CLASSES)
        ms = measured.get(name, {}).get(str(size))
        cells += [
            f"{found.parameters:,}",
            f"{found.macs / 1e6:,.0f} M",
            show_bytes(found.peak_activation_bytes),
            "–" if ms is None else f"{ms:.3g}",
        ]
    return f"| {' | '.join(cells)} |\n"


def section(file: str, card: Card, members: list[str], measured: dict[str, Any]) -> str:
    """Return what the page says of one file of models/."""
    idea = f"{card.idea} " if card.idea else ""
    text = f"\n## {file}\n\n{idea}When to choose it: {card.summary}. Source: {card.source}."
    text += f" From {card.smallest_size} pixels on.\n"
    if card.grows:
        return f"{text}\n`{file}`: what it costs follows from the pictures that it is fitted on.\n"
    return text + HEAD + "".join(row(name, measured) for name in members)


def files() -> dict[str, list[str]]:
    """Return the members of each file of models/."""
    known, found = catalog.names(models), defaultdict(list)
    for name in models.names():
        found[max((file for file in known if name.startswith(file)), key=len)].append(name)
    return dict(found)


def milliseconds(name: str, size: int) -> float:
    clip = Clip(frames=FRAMES) if models.card(name).task == "video" else None
    preprocess = Preprocess(size=size, channels=3, mean=(0.5,) * 3, std=(0.25,) * 3, clip=clip)
    found = answer_time(name, preprocess, tuple(map(str, range(CLASSES))), threads=1)
    return round(1e3 * found.latency.value, 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--measure", nargs="+", default=[], metavar="NAME")
    known = json.loads(MEASURED.read_text("utf-8")) if MEASURED.is_file() else {"machine": "", "ms": {}}
    for name in parser.parse_args().measure:
        known["ms"][name] = {str(size): milliseconds(name, size) for size in SIZES}
        known["machine"] = cpu_name()
        MEASURED.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", "utf-8")
        print(name, known["ms"][name], flush=True)
    text = TOP.format(classes=CLASSES, frames=FRAMES, machine=known["machine"])
    for file, members in files().items():
        text += section(file, models.card(members[0]), members, known["ms"])
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(text, "utf-8")


if __name__ == "__main__":
    main()

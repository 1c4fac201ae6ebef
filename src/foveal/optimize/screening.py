"""The step of a search that finds smaller networks and keeps those that are worth a lesson."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.core import files, random
from foveal.core.wording import counted
from foveal.data.dataset import UInt8
from foveal.optimize.candidate import Candidate, Start, found
from foveal.optimize.foresight import foresee, yardsticks_of
from foveal.optimize.labels import Pictures
from foveal.optimize.shortlist import Criteria, affordable, promising
from foveal.optimize.throughput import answered_in
from foveal.optimize.workshop import CANDIDATES, Workshop
from foveal.tasks import recognizer as recognizers
from foveal.tasks.recognizer import Recognizer

_LIST, _WITHOUT = "candidates.json", "families.json"
_SHOWN = 256  # pictures that families may look at
_FAMILY_SHARE, _FORESIGHT_SHARE, _SCORE_SHARE = 0.03, 0.04, 0.02  # of the budget
_LEAST_FORESIGHT = 2.0  # seconds: less measures not one network
_FEWEST, _MOST = 200, 1000  # pictures that give a score
READING_SHARE = 0.1  # of the budget: where reading all pictures again takes longer, none is made smaller


def screened(shop: Workshop, original: Recognizer, *, most: int) -> list[Candidate]:
    """Return what gets a lesson, the surest first; found once a search, and then read from its folder.

    All that were found are in `candidates/candidates.json`, with what was foreseen of them and why some were
    left out.

    Args:
        shop: Where the original was measured already, as it is, in its best way and in int8.
        original: Its network.
        most: How many to return at most.
    """
    folder = shop.folder / CANDIDATES

    def work() -> Sequence[str]:
        files.remove(folder)
        files.make_folder(folder)
        return [f"{CANDIDATES}/{name}" for name in _chosen(shop, original, folder, most=most)]

    shop.progress("variants", 0, 1, "candidates")
    shop.carry_out("candidates", {"most": most}, work)
    rows = files.read_json(folder / _LIST, list, hint="--force begins anew")
    taken = [_read(row, folder) for row in sorted(rows, key=lambda row: row["place"] or 0) if row["place"]]
    shop.predicted_latency = {one.name: one.predicted for one in taken}
    return taken


def _chosen(shop: Workshop, original: Recognizer, folder: Path, *, most: int) -> list[str]:
    """Find candidates, choose, and write all down; return the names of the files."""
    start, parameters = _start(shop, original)
    every, without = found(start)
    seconds = _FORESIGHT_SHARE * shop.budget.seconds
    if seconds >= _LEAST_FORESIGHT:
        every = foresee(start, every, yardsticks_of(shop), seconds=seconds)
    rows, truth = _scoring(shop, original)
    criteria = Criteria(
        start.macs,
        parameters,
        accuracy=_accuracy(original, shop.roles.chosen_on[rows], truth),
        chance=float(np.bincount(truth).max() / len(truth)),
        budget=shop.budget,
    )
    gone = affordable(every, criteria)
    every = [
        one if one.name in gone else replace(one, score=_score(one, shop, folder, rows, truth))
        for one in every
    ]
    names, more = promising([one for one in every if one.name not in gone], criteria, most=most)
    gone |= more
    files.write_json(folder / _LIST, [_row(one, names, gone) for one in every])
    files.write_json(folder / _WITHOUT, without)
    for one in every:
        if one.name not in names:
            files.remove(folder / one.name)
    made = [f"{name}/{file}" for name in names for file in recognizers.FILES]
    return [_LIST, _WITHOUT, *made]


def without_candidates(shop: Workshop) -> dict[str, str]:
    """Return why families of smaller networks have none for this one, by name; empty before `screened`."""
    path = shop.folder / CANDIDATES / _WITHOUT
    return files.read_json(path, dict, hint="--force begins anew") if path.is_file() else {}


def _start(shop: Workshop, original: Recognizer) -> tuple[Start, int]:
    cost, shown = original.cost(), shop.roles.shown(_SHOWN)
    seconds = _FAMILY_SHARE * shop.budget.seconds
    return Start(
        original, shown, cost.macs, seconds, shop.roles.seed, partial(_shown_at, shop)
    ), cost.parameters


def _shown_at(shop: Workshop, sizes: Sequence[int]) -> Mapping[int, UInt8]:
    """Return the pictures that families may look at, at other sizes; none where that takes too long."""
    foreseen = shop.reading_seconds(sizes)
    if foreseen is None:
        return {}
    if foreseen > READING_SHARE * shop.budget.seconds:
        told = f"smaller pictures: reading all of them again would take {counted(round(foreseen), 'second')}"
        shop.progress("variants", 0, 1, told)
        return {}
    return {size: roles.shown(_SHOWN) for size, roles in shop.roles_at_sizes(sizes).items()}


def _scoring(shop: Workshop, original: Recognizer) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which pictures give scores, as many as there is time for, drawn by chance; and their classes."""
    pictures = shop.roles.pictures
    if not isinstance(pictures, Pictures):
        raise ValueError("what says where something is gets no lessons, so no candidates")
    images = shop.roles.chosen_on
    seconds = _SCORE_SHARE * shop.budget.seconds
    count = answered_in(seconds, original, images, at_least=_FEWEST, at_most=_MOST)
    rows = np.sort(random.stream(shop.roles.seed, "scores").permutation(len(pictures.truth))[:count])
    return rows, pictures.truth[rows]


def _score(
    one: Candidate, shop: Workshop, folder: Path, rows: NDArray[np.int64], truth: NDArray[np.int64]
) -> float | None:
    """Make a candidate, keep its network, and return its accuracy; None for one that knows nothing yet."""
    made = one.make()
    recognizers.save(made, folder / one.name)
    if not one.inherits:
        return None
    return _accuracy(made, shop.roles_at(made.preprocess.size).chosen_on[rows], truth)


def _accuracy(recognizer: Recognizer, images: NDArray[np.uint8], truth: NDArray[np.int64]) -> float:
    return float((recognizer.logits(images).argmax(axis=1) == truth).mean())


def _row(one: Candidate, names: Sequence[str], gone: dict[str, str]) -> dict[str, Any]:
    return {
        "name": one.name,
        "place": names.index(one.name) + 1 if one.name in names else None,
        "left_out": gone.get(one.name),
        "steps": list(one.steps),
        "macs": one.macs,
        "parameters": one.parameters,
        "rate_share": one.rate_share,
        "kind": one.kind,
        "inherits": one.inherits,
        "score": one.score,
        "predicted": dict(one.predicted),
    }


def _read(row: dict[str, Any], folder: Path) -> Candidate:
    told = {key: value for key, value in row.items() if key not in ("place", "left_out")}
    make = partial(recognizers.load, folder / row["name"])
    return Candidate(**{**told, "steps": tuple(row["steps"]), "make": make})

"""What a run of `foveal clip` is worth on other data: zero-shot answers, or retrieval in both directions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import DataError, UsageError
from foveal.core.progress import Progress, silent
from foveal.data import opening
from foveal.data import split as splits
from foveal.data.dataset import Dataset
from foveal.data.inventory import content_hashes
from foveal.data.pairs import Pairs, half_of_pairs, is_pairs, open_pairs
from foveal.flows._clip_measure import Gallery, retrieval, thinned
from foveal.flows._clip_pairs import division_if_same, learned_contents, refuse_learned
from foveal.flows._clip_pictures import encoded, open_model
from foveal.flows.pretrain_clip import SCHEMA
from foveal.metrics.clustered_share import clustered_share
from foveal.metrics.independent_number import independent_number
from foveal.tasks.image_text import TEMPLATES, ImageText, spoken


@dataclass(frozen=True)
class _Asked:
    folder: Path
    model: ImageText
    learned: Mapping[str, str]
    threads: int | None
    progress: Progress


def clip_evaluate(
    run: str | Path,
    data: str | Path,
    *,
    templates: Sequence[str] = TEMPLATES,
    split: str | None = None,
    threads: int | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Return the `foveal.clip/1` document with what was measured.

    Of pairs it is retrieval in both directions; of the pairs of the training, on those that were kept apart.
    Of labelled pictures it is the accuracy of zero-shot answers.

    Args:
        run: A finished run.
        data: A table of pairs, or labelled pictures as `foveal check` recognizes them.
        templates: Of the prompts of labelled pictures; each with `{}`.
        split: Part of labelled pictures; None: test where there is one, else all.
        threads: That decode.
        progress: Told about the pictures.

    Raises:
        NotFoundError: No such run or data.
        DataError: `trained_on`: pictures among them were learned from; `bad_pairs`: a table of pairs lacks a
            column; or the data cannot be read.
        UsageError: No such split, or prompts that make no sense.
    """
    folder, model = open_model(run)
    asked = _Asked(folder, model, learned_contents(folder), threads, progress)
    if is_pairs(Path(data)):
        if split is not None:
            raise UsageError("pairs have no part to choose", hint="leave --split out")
        measured = _of_pairs(asked, open_pairs(data))
    else:
        measured = _of_classes(asked, _labelled(data), templates, split)
    head = {"schema": SCHEMA, "ok": True, "action": "evaluate", "run": str(folder), "data": str(data)}
    return {**head, **measured}


def _labelled(data: str | Path) -> Dataset:
    """Return labelled pictures; of a table that was meant as pairs it is said what it lacks."""
    try:
        return opening.open_labelled(data)
    except DataError as error:
        half = half_of_pairs(Path(data)) if error.code == "unknown_layout" else None
        raise (half or error) from None


def _of_pairs(asked: _Asked, pairs: Pairs) -> dict[str, Any]:
    hashes = content_hashes(pairs.dataset, progress=asked.progress)
    same = division_if_same(asked.folder, pairs, hashes) if asked.learned else None
    places = np.arange(len(pairs)) if same is None else same.test
    if len(places) == 0:
        raise DataError(
            f"all pairs of {pairs.path} were learned from; none is left to measure on",
            code="trained_on",
            hint="name other pairs",
            path=pairs.path,
        )
    refuse_learned(asked.learned, pairs.sources, hashes, np.unique(pairs.pictures[places]), pairs.path)
    kept, of = thinned(pairs.pictures[places])
    places = places[kept]
    there = np.unique(pairs.pictures[places])
    found = encoded(
        asked.model,
        lambda i: pairs.read(int(there[i])).content,
        len(there),
        threads=asked.threads,
        progress=asked.progress,
    )
    places = places[np.isin(pairs.pictures[places], there[found.readable])]
    if len(places) == 0:
        raise DataError(f"no picture of {pairs.path} can be read", code="no_images", path=pairs.path)
    first: dict[str, int] = {}
    content = np.array([first.setdefault(one, len(first)) for one in hashes], dtype=np.int64)
    gallery = Gallery(
        vectors=found.vectors,
        pictures=np.searchsorted(there, pairs.pictures[places]),
        contents=content[pairs.pictures[places]],
        texts=tuple(pairs.texts[i] for i in places),
        of=of,
    )
    # A run keeps the pictures that it learned from, not the texts.
    learned = None if same is None else {pairs.texts[i] for i in same.fit}
    return {
        "kind": "retrieval",
        "part": "all" if same is None else "test",
        "unreadable": len(found.errors),
        "metrics": retrieval(asked.model, gallery, learned=learned),
    }


def _of_classes(
    asked: _Asked, dataset: Dataset, templates: Sequence[str], split: str | None
) -> dict[str, Any]:
    vectors = asked.model.classes(dataset.classes, templates)  # first: prompts may make no sense
    rows, part = _part(dataset, split)
    hashes = content_hashes(dataset, progress=asked.progress)
    refuse_learned(asked.learned, dataset.sources, hashes, rows, dataset.path)
    found = encoded(
        asked.model,
        lambda i: dataset.read(int(rows[i])).content,
        len(rows),
        threads=asked.threads,
        progress=asked.progress,
    )
    good = found.readable
    if len(good) == 0:
        raise DataError(f"no picture of {dataset.path} can be read", code="no_images", path=dataset.path)
    labels = dataset.labels[rows][good]
    right = (found.vectors[good] @ vectors.T).argmax(axis=1) == labels
    known = {i: content for i, content in enumerate(hashes) if content}
    units = splits.unit_of_each(dataset, known)[rows][good]
    per_class = [
        {"class": name, **_share(right[labels == k], units[labels == k])}
        for k, name in enumerate(dataset.classes)
        if (labels == k).any()
    ]
    return {
        "kind": "zero_shot",
        "part": part,
        "unreadable": len(found.errors),
        "classes": list(dataset.classes),
        "prompts": [template.replace("{}", spoken(dataset.classes[0])) for template in templates],
        "metrics": {
            "accuracy": _share(right, units),
            "chance": round(1 / len(dataset.classes), 6),
            "majority": round(float(np.bincount(labels).max() / len(labels)), 6),
            "per_class": per_class,
        },
    }


def _share(right: NDArray[np.bool_], units: NDArray[np.int64]) -> dict[str, Any]:
    return clustered_share(right, independent_number(units, len(right))).as_json()


def _part(dataset: Dataset, split: str | None) -> tuple[NDArray[np.int64], str]:
    """Return the pictures that are meant, and what that part is called."""
    names = dataset.split_names
    if split is None and "test" not in names:
        return np.arange(len(dataset)), "all"
    wanted = split or "test"
    if wanted not in names:
        raise UsageError(f"{dataset.path} has no split {wanted!r}; it has: {', '.join(names) or 'none'}")
    return np.flatnonzero(np.array(dataset.splits) == wanted), wanted

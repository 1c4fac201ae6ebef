"""Pictures to learn from without labels, and labelled ones to probe with, as a pretraining reads them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from foveal.core import files, machine
from foveal.core.errors import DataError
from foveal.core.progress import Progress
from foveal.core.text import printable
from foveal.core.wording import counted
from foveal.data import opening
from foveal.data.dataset import Dataset
from foveal.data.preprocess import Preprocess
from foveal.data.store import channel_statistics
from foveal.flows import _unlabelled
from foveal.flows._near_copies import near_copies
from foveal.flows._pool import contents_of
from foveal.flows._prepare import SPLIT, STORE, Prepared, Wishes, prepare, suggested
from foveal.models.pretrained._weights import Weights, normalization
from foveal.train.examples import Examples
from foveal.train.pretext_recipe import PretextRecipe
from foveal.train.probes import Labelled, Prober

_PIXELS, _FOUND = "pixels.npy", "pictures.json"
PROBE = "probe"  # folder of a run with labelled pictures that are not those that are learned from
FEWEST = 8  # pictures: of fewer nothing is learned
_HELD_OUT = ("calib", "test")
_TOLD = 10  # pictures that cannot be read, by name


@dataclass(frozen=True)
class Gathered:
    """What a pretraining works on.

    Attributes:
        examples: That are learned from; their labels, if any, are not looked at.
        preprocess: How they came to model size, with their mean and deviation.
        labelled: To probe with; None: nothing is labelled.
        contents: Content hash of each row of the examples' images; "" where it has no part in this.
        about: What can be told of them: `labelled`, `images`, `copies`, `unusable`, `measured_on`, and the
            names of some pictures that cannot be read.
    """

    examples: Examples
    preprocess: Preprocess
    labelled: Labelled | None
    contents: tuple[str, ...] = field(repr=False)
    about: dict[str, Any]

    @property
    def prober(self) -> Prober:
        """What asks about features of them."""
        return Prober(self.examples, self.preprocess, self.labelled)


def gather(
    data: Path, run: Path, recipe: PretextRecipe, weights: Weights | None, *, progress: Progress
) -> Gathered:
    """Read pictures, labelled or not, and bring them to model size; what a run already has is reused.

    Of labelled data the pictures are learned from that training learns from (its part `fit` of the same
    seed), so that what is held out then was never seen. What probing, or a training on the probe's pictures,
    holds out of those is not learned from either, where it, or a near copy of it, lies among them.

    Args:
        data: A labelled data set, or any folder or archive with pictures.
        run: The run folder.
        recipe: Says the size, the seed and where labelled pictures are.
        weights: What the network starts from; None: from scratch.
        progress: Told about the pictures.

    Raises:
        NotFoundError, DataError: There are no pictures, too few of them, or the data cannot be read.
        WriteError: The run folder cannot be written.
    """
    threads = recipe.threads or machine.usable_cpus()
    dataset = _labelled_at(data) if recipe.labels else None
    if dataset is not None:
        wishes = Wishes(recipe.size, recipe.seed, False, threads, like=_like(dataset, recipe, weights))
        prepared = prepare(dataset, run, wishes, progress=progress)
        own = _roles(prepared)
        learned = prepared.examples("fit")
        contents = _contents(run, dataset)
        copies = len(learned) - len({contents[row] for row in learned.indices.tolist()})
        found = Gathered(
            learned, prepared.preprocess, own, contents, _about(learned, copies, classes=dataset)
        )
    else:
        found = _unlabelled_at(data, run, recipe, weights, progress)
    if recipe.probe is not None:
        probe = _probed(Path(recipe.probe), run, found, recipe, threads, progress)
        held_out = [probe.examples(role) for role in _HELD_OUT]
        near = near_copies(run, found.examples, found.contents, held_out, progress=progress)
        found = replace(found, labelled=_roles(probe))
        found = _apart(found, contents_of(run / PROBE, _HELD_OUT) | near)
    if len(found.examples) < FEWEST:
        raise DataError(
            f"{data} has {counted(len(found.examples), 'picture')} to learn from; nothing is learned "
            f"from fewer than {FEWEST}{_why(found.about)}",
            code="too_few_images",
            hint="foveal check says what is wrong with pictures"
            if found.about["unusable"]
            else "give more pictures; few of them are for foveal fewshot teach",
            path=data,
        )
    return found


def _contents(run: Path, dataset: Dataset) -> tuple[str, ...]:
    """Return the content hash of each picture that is learned from in a run; "" of the others."""
    known: dict[str, str] = files.read_json(run / SPLIT, lambda split: dict(split["fit"]), hint="train anew")
    return tuple(known.get(source, "") for source in dataset.sources)


def _apart(found: Gathered, held_out: set[str]) -> Gathered:
    """Return what is learned from, without what is held out."""
    rows = found.examples.indices
    kept = np.array([found.contents[row] not in held_out for row in rows], dtype=np.bool_)
    about = {**found.about, "images": int(kept.sum()), "measured_on": int((~kept).sum())}
    return replace(found, examples=replace(found.examples, indices=rows[kept]), about=about)


def _labelled_at(data: Path) -> Dataset | None:
    """Return the labelled pictures at a path, or None where there are only pictures.

    One folder with pictures in it names a place, not a class.
    """
    try:
        found = opening.open(data, task=opening.CLASSIFY)
    except DataError as error:
        if error.code != "unknown_layout":
            raise
        return None
    return found if len(found.classes) > 1 else None


def _like(dataset: Dataset, recipe: PretextRecipe, weights: Weights | None) -> Preprocess | None:
    """Return how pictures become the input of weights that are there; None: as the data suggest."""
    if weights is None:
        return None
    plain = suggested(dataset, recipe.size or weights.size)
    channels = max(plain.channels, weights.channels or plain.channels)
    mean, std, _ = normalization(weights, channels=channels)
    return plain.model_copy(update={"channels": channels, "mean": mean, "std": std})


def _roles(prepared: Prepared) -> Labelled:
    return Labelled(prepared.examples("fit"), prepared.examples("calib"), prepared.dataset.classes)


def _unlabelled_at(
    data: Path, run: Path, recipe: PretextRecipe, weights: Weights | None, progress: Progress
) -> Gathered:
    found = _unlabelled.find([data], most=None, seed=recipe.seed, progress=progress)
    preprocess = _like(found.dataset, recipe, weights) or suggested(found.dataset, recipe.size)
    files.make_folder(run / STORE)
    _unlabelled.check_same(run / _FOUND, found)
    store = _unlabelled.stored_once(found, run / STORE / _PIXELS, preprocess, progress=progress)
    usable = np.flatnonzero(store.labels >= 0)
    if weights is None and len(usable):
        mean, std = channel_statistics(store.images, usable)
        preprocess = preprocess.model_copy(update={"mean": mean, "std": std})
    unusable = [printable(found.dataset.sources[row]) for row in np.flatnonzero(store.labels < 0).tolist()]
    examples = Examples(store.images, np.zeros(len(store.labels), np.int64), usable)
    about = _about(examples, found.copies, unusable=unusable)
    return Gathered(examples, preprocess, None, found.hashes, about)


def _about(
    examples: Examples, copies: int, *, classes: Dataset | None = None, unusable: Sequence[str] = ()
) -> dict[str, Any]:
    """Return what can be told of pictures that are learned from.

    Args:
        examples: The pictures.
        copies: How many contents are there more than once.
        classes: Of a labelled data set; None: no label was looked for, or none was found.
        unusable: Names of what cannot be read.
    """
    return {
        "labelled": classes is not None,
        "classes": 0 if classes is None else len(classes.classes),
        "found": (len(examples) + copies + len(unusable)) if classes is None else len(classes),
        "images": len(examples),
        "copies": copies,
        "unusable": len(unusable),
        "unusable_examples": list(unusable[:_TOLD]),
        "measured_on": 0,
    }


def _why(about: Mapping[str, Any]) -> str:
    """Return why there are so few pictures, where not all that were found can be used."""
    said = [
        f"{about[key]} {text}"
        for key, text in (("unusable", "cannot be read"), ("measured_on", "are held out to be measured on"))
        if about[key]
    ]
    return f"; {', '.join(said)}" if said else ""


def _probed(
    data: Path, run: Path, found: Gathered, recipe: PretextRecipe, threads: int, progress: Progress
) -> Prepared:
    """Return labelled pictures from elsewhere, brought to size as those that are learned from."""
    dataset = opening.open(data, task=opening.CLASSIFY)
    like = found.preprocess
    wishes = Wishes(like.size, recipe.seed, False, threads, like=like)
    return prepare(dataset, run / PROBE, wishes, progress=progress)

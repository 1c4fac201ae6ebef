"""From a data set to pictures at model size whose classes are divided: what few-shot learning starts from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from foveal.core import files
from foveal.core.errors import DataError, UsageError
from foveal.core.progress import Progress
from foveal.data import class_split
from foveal.data import inventory as inventories
from foveal.data.class_split import ClassSplit
from foveal.data.dataset import Dataset
from foveal.data.fingerprint import fingerprint
from foveal.data.preprocess import Preprocess
from foveal.data.store import Store, StoreWriter, channel_statistics
from foveal.flows._prepare import SPLIT, STORE, suggested
from foveal.train.episodic._recipe import FewshotRecipe
from foveal.train.examples import Examples

_OMNIGLOT, _SIDE = "omniglot", 28  # pixels: what all published numbers for it are for
_PIXELS = "pixels.npy"


@dataclass(frozen=True)
class Classes:
    """Pictures at model size, and who has which role.

    Attributes:
        dataset: Names and labels.
        split: Which classes are learned from.
        store: Pixels.
        preprocess: How pictures became so, with mean and deviation of those that are learned from.
    """

    dataset: Dataset
    split: ClassSplit
    store: Store
    preprocess: Preprocess

    def examples(self, role: str) -> Examples:
        """Return the pictures of the classes of a role."""
        return Examples(self.store.images, self.store.labels, self.split.role(role))


def is_omniglot(dataset: Dataset) -> bool:
    """Return whether the data are the characters of Omniglot, of which a quarter turn makes another one."""
    return dataset.format == _OMNIGLOT


def prepare_classes(
    dataset: Dataset, run: Path, recipe: FewshotRecipe, *, threads: int, progress: Progress
) -> Classes:
    """Read, divide and store the pictures; what a run already has is compared and reused.

    Args:
        dataset: The data.
        run: The run folder; gets `split.json` and `store/`.
        recipe: Size, share of held-out classes, seed.
        threads: For decoding.
        progress: Told about the pictures.

    Raises:
        DataError: Too few classes or none, or not the data that the run started with.
        UsageError: `other_task`: the data are clips.
        WriteError: The run folder cannot be written.
    """
    if dataset.clip is not None:
        raise UsageError("few-shot learning takes pictures, and these are clips", code="other_task")
    size = recipe.size or (_SIDE if is_omniglot(dataset) else None)
    preprocess = suggested(dataset, size)
    path = run / STORE / _PIXELS
    files.make_folder(run / STORE)
    if (run / SPLIT).is_file():
        hashes: Sequence[str] = inventories.content_hashes(dataset, progress=progress)
        known = fingerprint(dataset.sources, dataset.truths, hashes)
        split = files.read_json(
            run / SPLIT,
            lambda saved: class_split.from_json(saved, dataset, fingerprint=known),
            hint="the classes were divided by it; train anew",
        )
        store = _opened(path, preprocess, known) or _stored(dataset, path, preprocess, threads, progress)[0]
    else:
        store, hashes = _stored(dataset, path, preprocess, threads, progress)
        split = class_split.make(
            dataset,
            hashes,
            fingerprint=store.fingerprint,
            share=recipe.held_out,
            least=recipe.way,
            seed=recipe.seed,
        )
        files.write_json(run / SPLIT, split.to_json(dataset, hashes))  # last: it says that all is there
    mean, std = channel_statistics(store.images, split.fit)
    return Classes(dataset, split, store, preprocess.model_copy(update={"mean": mean, "std": std}))


def _opened(path: Path, preprocess: Preprocess, known: str) -> Store | None:
    try:
        return Store.open(path, preprocess=preprocess, fingerprint=known)
    except DataError as error:
        if error.code != "store_mismatch":
            raise
        return None


def _stored(
    dataset: Dataset, path: Path, preprocess: Preprocess, threads: int, progress: Progress
) -> tuple[Store, list[str]]:
    """Return the pixels, and the content hash of each picture, "" of what cannot be read."""
    with StoreWriter(path, count=len(dataset), preprocess=preprocess) as writer:
        found = inventories.take(dataset, store=writer, threads=threads, progress=progress)
        hashes = [content if good else "" for content, good in zip(found.sha256, found.readable, strict=True)]
        return writer.seal(dataset.labels, fingerprint=found.fingerprint), hashes

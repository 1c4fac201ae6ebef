"""From a data set to pictures at model size with roles: what training starts from."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from foveal.core import files
from foveal.core.errors import DataError, UsageError
from foveal.core.progress import Progress
from foveal.core.task import AREA_TASKS
from foveal.core.types import Finding
from foveal.data import inventory as inventories
from foveal.data import split as splits
from foveal.data import video
from foveal.data.check import check
from foveal.data.clip import Clip
from foveal.data.clips import showing, spacing_s
from foveal.data.dataset import Dataset, UInt8
from foveal.data.fingerprint import fingerprint
from foveal.data.inventory import Inventory
from foveal.data.preprocess import Preprocess, decoder
from foveal.data.ranges import fitted
from foveal.data.sizing import suggest_channels, suggest_sides, suggest_size
from foveal.data.split import Split
from foveal.data.store import Store, StoreWriter, channel_statistics
from foveal.data.subset import subset
from foveal.train.examples import Examples, Pool

SPLIT = "split.json"
FINDINGS = "findings.json"
STORE = "store"
_PIXELS = "pixels.npy"
# Pixels of the longer side, unless asked for more: edges of areas need finer pictures than objects do.
_LARGEST_OBJECTS, _LARGEST_AREAS = 416, 480
_LARGEST_PAIRS = 640  # what differs from a template may be small
_LARGEST_FRAMES = 64  # pixels, unless asked for more: a clip costs as much as all of its frames
_ANEW = "the pictures were divided by it; train anew"


@dataclass(frozen=True)
class Prepared:
    """Data ready to train on.

    Attributes:
        dataset: Names and labels.
        split: Who has which role.
        store: Pixels at model size.
        preprocess: How they became so, with the mean and deviation of the fit part.
        findings: What the check had to say.
        pool: More pictures, without labels; None: there are none.
        unlabelled: What can be told of these; see `foveal.train/1`.
    """

    dataset: Dataset
    split: Split
    store: Store
    preprocess: Preprocess
    findings: tuple[Finding, ...]
    pool: Pool | None = None
    unlabelled: dict[str, Any] | None = None

    def examples(self, role: str) -> Examples:
        """Return the pictures that have a role, with what belongs together among them.

        Beside those that are learned from are the ones without labels.
        """
        pool = self.pool if role == "fit" else None
        return Examples(self.store.images, self.store.labels, self.split.role(role), self.split.units, pool)


@dataclass(frozen=True)
class Wishes:
    """What the preparation depends on besides the data.

    Attributes:
        size: Side of the input in pixels, or None.
        seed: Decides which pictures are carved from train.
        strict: Warnings stop it too.
        threads: For decoding.
        images: So many of those to learn from, or None for all.
        like: How a picture becomes the input of weights that are there already; None: as the data suggest.
        frames: Of a clip, or None.
        only_good: Of data about defects: defective pictures measure, and nothing else.
    """

    size: int | None
    seed: int
    strict: bool
    threads: int
    images: int | None = None
    like: Preprocess | None = None
    frames: int | None = None
    only_good: bool = False


def prepare(dataset: Dataset, run: Path, wishes: Wishes, *, progress: Progress) -> Prepared:
    """Read, check, split and store the pictures; what a run already has is compared and reused.

    Args:
        dataset: The data.
        run: The run folder; gets `findings.json`, `split.json` and `store/`.
        wishes: Size, seed, strictness, threads.
        progress: Told about the pictures.

    Raises:
        DataError: The data would spoil the result, or are not those that the run started with.
        WriteError: The run folder cannot be written.
    """
    dataset = _as_wished(dataset, wishes)
    preprocess = wishes.like or suggested(dataset, wishes.size)
    if preprocess.bands is None:  # else those of weights that learned from the same bands
        preprocess = Preprocess.model_validate({**dict(preprocess), "bands": fitted(dataset)})
    files.make_folder(run / STORE)
    for left_over in (run / STORE).glob(".*.tmp"):  # of a run that was killed while reading
        files.remove(left_over)
    if (run / SPLIT).is_file():
        split, store, findings, preprocess = _again(dataset, run, preprocess, wishes, progress)
    else:
        split, store, findings, preprocess = _first(dataset, run, preprocess, wishes, progress)
    if wishes.like is None:
        mean, std = channel_statistics(store.images, split.fit)
        preprocess = preprocess.model_copy(update={"mean": mean, "std": std})
    if preprocess.clip is not None and preprocess.clip.spacing_s is None:
        preprocess = preprocess.model_copy(update={"clip": _timed(dataset, split)})
    return Prepared(dataset, split, store, preprocess, findings)


def _as_wished(dataset: Dataset, wishes: Wishes) -> Dataset:
    if wishes.frames is None:
        return dataset
    if dataset.clip is None:
        raise UsageError(f"{dataset.path} holds pictures, which have no frames", hint="leave --frames out")
    return showing(dataset, dataset.clip.model_copy(update={"frames": wishes.frames}))


def suggested(dataset: Dataset, wanted: int | None) -> Preprocess:
    """Return how pictures come to model size; mean and std are known after the pass, which needs neither.

    Args:
        dataset: Headers of some of its pictures are read.
        wanted: Side in pixels; None: from the pictures.
    """
    channels = suggest_channels(dataset)
    unit = (0.5,) * channels
    if dataset.scenes is not None:
        height, width = scene_sides(dataset, wanted)
        return Preprocess(
            size=height,
            width=width,
            resize="letterbox",
            channels=channels,
            mean=unit,
            std=unit,
            pair="registered" if dataset.pairs else None,
        )
    size = wanted or suggest_size(dataset)
    if dataset.clip is None:
        return Preprocess(size=size, channels=channels, mean=unit, std=unit)
    size = wanted or min(size, _LARGEST_FRAMES)
    return Preprocess(
        size=size, channels=channels, mean=unit, std=unit, decoder=decoders(dataset.clip), clip=dataset.clip
    )


def scene_sides(dataset: Dataset, wanted: int | None) -> tuple[int, int]:
    """Return height and width of the input for pictures with what is where on them.

    Args:
        dataset: Headers of some of its pictures are read.
        wanted: The longer side in pixels; None: from the pictures.
    """
    of_areas = dataset.task in AREA_TASKS or dataset.task == "defect"
    most = _LARGEST_AREAS if of_areas else _LARGEST_OBJECTS
    if dataset.pairs:
        most = _LARGEST_PAIRS
    return suggest_sides(dataset, longer=wanted, most=most)


def decoders(clip: Clip | None) -> str:
    """Return names and versions of what decodes pictures here, or clips."""
    return decoder() if clip is None else f"{video.decoder()}, {decoder()}"


def _timed(dataset: Dataset, split: Split) -> Clip | None:
    """Return how clips become frames, with the time between two of them where that is learned from."""
    if dataset.clip is None:
        return None
    return dataset.clip.model_copy(update={"spacing_s": spacing_s(dataset, split.fit)})


_Parts = tuple[Split, Store, tuple[Finding, ...], Preprocess]


def _measures(preprocess: Preprocess, wishes: Wishes) -> bool:
    """Return whether the ranges of bands come from the pictures that are learned from."""
    known = wishes.like is not None and wishes.like.bands is not None
    return not known and preprocess.bands is not None and not preprocess.bands.is_identity


def _ranged(preprocess: Preprocess, dataset: Dataset, split: Split) -> Preprocess:
    return preprocess.model_copy(update={"bands": fitted(dataset, split.fit)})


def _divided(dataset: Dataset, inventory: Inventory, wishes: Wishes) -> Split:
    split = splits.make(dataset, inventory, seed=wishes.seed)
    return split if wishes.images is None else subset(split, dataset, inventory, images=wishes.images)


def _first(dataset: Dataset, run: Path, preprocess: Preprocess, wishes: Wishes, progress: Progress) -> _Parts:
    path = run / STORE / _PIXELS
    if _measures(preprocess, wishes):  # who is learned from is known after a pass: one more
        inventory = inventories.take(preprocess.seeing(dataset), threads=wishes.threads, progress=progress)
        preprocess = _ranged(preprocess, dataset, _divided(dataset, inventory, wishes))
    with StoreWriter(path, count=len(dataset), preprocess=preprocess) as writer:
        inventory = inventories.take(
            preprocess.seeing(dataset),
            store=writer,
            threads=wishes.threads,
            progress=progress,
        )
        split = splits.make(dataset, inventory, seed=wishes.seed)
        findings = tuple(check(dataset, inventory, split))
        refuse(findings, dataset.path, strict=wishes.strict)
        if wishes.only_good:
            split = splits.only_good(split, dataset, inventory)
        if wishes.images is not None:
            split = subset(split, dataset, inventory, images=wishes.images)
        store = writer.seal(dataset.labels, fingerprint=inventory.fingerprint)
    files.write_json(run / FINDINGS, [asdict(finding) for finding in findings])
    files.write_json(run / SPLIT, split.to_json(dataset, inventory.sha256))  # last: it says that all is there
    return split, store, findings, preprocess


def _again(dataset: Dataset, run: Path, preprocess: Preprocess, wishes: Wishes, progress: Progress) -> _Parts:
    """Compare the data by content, without decoding; the store is only made again where it is gone."""
    hashes = inventories.content_hashes(dataset, progress=progress)
    found = fingerprint(dataset.sources, dataset.truths, hashes)
    split = files.read_json(
        run / SPLIT, lambda saved: splits.from_json(saved, dataset, fingerprint=found), hint=_ANEW
    )
    findings = files.read_json(
        run / FINDINGS,
        lambda rows: tuple(Finding(**{**row, "examples": tuple(row["examples"])}) for row in rows),
        hint=_ANEW,
    )
    if _measures(preprocess, wishes):
        preprocess = _ranged(preprocess, dataset, split)
    path = run / STORE / _PIXELS
    try:
        return split, Store.open(path, preprocess=preprocess, fingerprint=found), findings, preprocess
    except DataError as error:
        if error.code != "store_mismatch":
            raise
    with StoreWriter(path, count=len(dataset), preprocess=preprocess) as writer:
        inventory = inventories.take(
            preprocess.seeing(dataset),
            store=writer,
            threads=wishes.threads,
            progress=progress,
        )
        _refuse_others(dataset, split, inventory, known=found)
        return split, writer.seal(dataset.labels, fingerprint=found), findings, preprocess


def _refuse_others(dataset: Dataset, split: Split, inventory: Inventory, *, known: str) -> None:
    """Raise a DataError where what was read now is not what was divided."""
    needed = np.concatenate([split.role(role) for role in splits.ROLES])
    lost = needed[~inventory.readable[needed]]
    if len(lost):
        raise DataError(
            f"{len(lost)} of {len(needed)} pictures that could be read cannot be read now, "
            f"the first is {dataset.sources[lost[0]]}",
            code="split_mismatch",
            hint="make them readable again, and resume",
            path=dataset.path,
        )
    if inventory.fingerprint != known:
        raise DataError(
            f"{dataset.path} changed while it was read",
            code="split_mismatch",
            hint="resume when nobody writes there",
            path=dataset.path,
        )


def resized(
    prepared: Prepared, sizes: Sequence[int], run: Path, *, threads: int, progress: Progress
) -> dict[int, Prepared]:
    """Return the same pictures with the same roles at other sizes, each made from its file.

    Args:
        prepared: The data at one size.
        sizes: Sides in pixels; of letterboxes their heights.
        run: The folder that it was prepared in; gets `store/pixels-<size>.npy`, and what is there is reused.
        threads: For decoding; all that are missing are made in one pass, of clips in one for each size, since
            only frames that are brought to size as they are decoded take little memory.
        progress: Told about the pictures.

    Raises:
        DataError: The data have changed since.
        WriteError: The folder cannot be written.
    """
    as_before = {size: prepared.preprocess.sized(size) for size in sizes}
    stores = {size: _opened(run, prepared, one) for size, one in as_before.items()}
    missing = [size for size in sizes if stores[size] is None]
    for some in passes([as_before[size] for size in missing]):
        stores |= _written(prepared, some, run, threads=threads, progress=progress)
    return {
        size: replace(prepared, store=store, preprocess=as_before[size])
        for size, store in stores.items()
        if store is not None
    }


def passes(preprocesses: Sequence[Preprocess]) -> list[list[Preprocess]]:
    """Return what is made of a data set in one pass each."""
    if any(one.clip is not None for one in preprocesses):
        return [[one] for one in preprocesses]
    return [list(preprocesses)] if preprocesses else []


def _written(
    prepared: Prepared, some: Sequence[Preprocess], run: Path, *, threads: int, progress: Progress
) -> dict[int, Store | None]:
    """Return stores at the sizes of some preprocessings, made in one pass."""
    dataset, known = prepared.dataset, prepared.store.fingerprint
    with ExitStack() as stack:
        first, *others = writers = [
            stack.enter_context(StoreWriter(_at(run, one.size), count=len(dataset), preprocess=one))
            for one in some
        ]

        def put(index: int, pixels: UInt8) -> None:
            for writer in others:
                writer.put(index, pixels)

        shown = some[0].seeing(dataset)
        inventory = inventories.take(shown, store=first, look=put, threads=threads, progress=progress)
        _refuse_others(dataset, prepared.split, inventory, known=known)
        return {
            one.size: writer.seal(dataset.labels, fingerprint=known)
            for one, writer in zip(some, writers, strict=True)
        }


def _at(run: Path, size: int) -> Path:
    return run / STORE / f"pixels-{size}.npy"


def _opened(run: Path, prepared: Prepared, preprocess: Preprocess) -> Store | None:
    """Return the store of the same data at a size, or None where it has to be made."""
    try:
        return Store.open(
            _at(run, preprocess.size), preprocess=preprocess, fingerprint=prepared.store.fingerprint
        )
    except DataError as error:
        if error.code != "store_mismatch":
            raise
        return None


def refuse(findings: tuple[Finding, ...], data: Path, *, strict: bool) -> None:
    """Raise what the check found if a training must not begin.

    Raises:
        DataError: An error is among the findings; under `strict` a warning, too.
    """
    stopping = [f for f in findings if f.severity == "error" or (strict and f.severity == "warning")]
    if stopping:
        first = stopping[0]
        more = f" (and {len(stopping) - 1} more: foveal check {data})" if len(stopping) > 1 else ""
        raise DataError(f"{first.message}{more}", code=first.code, hint=first.hint, path=data)

"""From pairs to pictures at model size, divided into those that are learned from and those that measure."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.core import files
from foveal.core.errors import DataError, ImageError
from foveal.core.progress import Progress
from foveal.core.random import seed_for
from foveal.core.types import Finding
from foveal.data import inventory as inventories
from foveal.data.fingerprint import fingerprint
from foveal.data.pairs import Pairs
from foveal.data.preprocess import Preprocess
from foveal.data.split import CARVED_SHARE
from foveal.data.store import Store, StoreWriter, channel_statistics
from foveal.flows._prepare import SPLIT, STORE, suggested
from foveal.train.examples import Examples

SCHEMA = "foveal.pairs_split/1"
_PIXELS = "pixels.npy"
_ANEW = "the pairs were divided by it; train anew"


@dataclass(frozen=True)
class Division:
    """Who has which role, and what was read.

    Attributes:
        sha256: Content hash of each picture; "" where it cannot be read.
        fit, test: Places of the pairs that are learned from, and of those that measure, int64.
        fingerprint: Hash of all names, texts, splits and contents.
        unreadable: Pictures that cannot be read; their pairs have no role.
        carved: Whether the test part was drawn here: the table had none.
        seed: What it was drawn with.
    """

    sha256: tuple[str, ...] = field(repr=False)
    fit: NDArray[np.int64] = field(repr=False)
    test: NDArray[np.int64] = field(repr=False)
    fingerprint: str
    unreadable: tuple[str, ...]
    carved: bool
    seed: int

    def contents(self, pairs: Pairs) -> NDArray[np.int64]:
        """Return a number for each pair that pairs of equal pictures share, int64 (N,)."""
        first: dict[str, int] = {}
        of_picture = np.array([first.setdefault(one, len(first)) for one in self.sha256], dtype=np.int64)
        return of_picture[pairs.pictures]

    def findings(self) -> list[Finding]:
        """Return what is to be said of the data."""
        if not self.unreadable:
            return []
        return [
            Finding(
                "unreadable",
                "warning",
                len(self.unreadable),
                f"{len(self.unreadable)} pictures cannot be read; their pairs are left out",
                "foveal check names what is wrong with a picture; mend them, or take their lines out",
                self.unreadable[:10],
            )
        ]


@dataclass(frozen=True)
class PreparedPairs:
    """Pairs ready to train on.

    Attributes:
        pairs: Names and texts.
        division: Who has which role.
        store: Pixels at model size, a row per picture.
        preprocess: How they became so, with the mean and deviation of what is learned from.
    """

    pairs: Pairs
    division: Division
    store: Store
    preprocess: Preprocess

    @property
    def examples(self) -> Examples:
        """What is learned from: a row for each pair; a picture with several texts is there as often."""
        pictures = self.pairs.pictures[self.division.fit]
        return Examples(self.store.images, self.store.labels, pictures)

    def texts(self, places: NDArray[np.int64]) -> list[str]:
        """Return the texts of some pairs."""
        return [self.pairs.texts[place] for place in places]


def prepare_pairs(
    pairs: Pairs, run: Path, *, size: int | None, seed: int, threads: int, progress: Progress
) -> PreparedPairs:
    """Read, divide and store the pictures; what a run already has is compared and reused.

    Args:
        pairs: The data.
        run: The run folder; gets `split.json` and `store/`.
        size: Side of the input in pixels; None: from the pictures.
        seed: Decides which pictures are held out where the table does not say.
        threads: For decoding.
        progress: Told about the pictures.

    Raises:
        DataError: Nothing to learn from, a picture is in both parts, or the data are not those of the run.
        WriteError: The run folder cannot be written.
    """
    preprocess = suggested(pairs.dataset, size)
    path = run / STORE / _PIXELS
    files.make_folder(path.parent)
    if (run / SPLIT).is_file():
        division = read_division(run, pairs, progress=progress)
        try:
            store = Store.open(path, preprocess=preprocess, fingerprint=division.fingerprint)
        except DataError as error:
            if error.code != "store_mismatch":
                raise
            store, _ = _written(pairs, path, preprocess, threads=threads, progress=progress)
    else:
        store, division = _written(pairs, path, preprocess, threads=threads, progress=progress, seed=seed)
        files.write_json(run / SPLIT, _as_json(pairs, division))  # last: it says that all is there
    learned = np.unique(pairs.pictures[division.fit])
    mean, std = channel_statistics(store.images, learned)
    return PreparedPairs(pairs, division, store, preprocess.model_copy(update={"mean": mean, "std": std}))


def _written(
    pairs: Pairs, path: Path, preprocess: Preprocess, *, threads: int, progress: Progress, seed: int = 0
) -> tuple[Store, Division]:
    dataset = pairs.dataset
    with StoreWriter(path, count=len(dataset), preprocess=preprocess) as writer:
        inventory = inventories.take(dataset, store=writer, threads=threads, progress=progress)
        division = _divided(pairs, inventory.sha256, inventory.readable, seed)
        return writer.seal(dataset.labels, fingerprint=division.fingerprint), division


def _divided(pairs: Pairs, sha256: tuple[str, ...], readable: NDArray[np.bool_], seed: int) -> Division:
    """Give every readable picture a role: as the table says, or 15 % by content, drawn from the seed."""
    splits = np.array(pairs.splits)
    carved = not any(pairs.splits)
    if carved:
        contents = sorted({one for one, good in zip(sha256, readable, strict=True) if good})
        drawn = sorted(contents, key=lambda one: seed_for(seed, "held out", one))
        held = set(drawn[: round(CARVED_SHARE * len(drawn))])
        measures = np.array([one in held for one in sha256])
    else:
        measures = splits != "train"
        _refuse_torn(pairs, sha256, measures & readable, ~measures & readable)
    learns, measures = ~measures & readable, measures & readable
    if not learns.any():
        raise DataError(
            f"{pairs.path} has no readable picture to learn from",
            code="no_training_images",
            hint="the split of those is train",
            path=pairs.path,
        )
    return Division(
        sha256=sha256,
        fit=np.flatnonzero(learns[pairs.pictures]),
        test=np.flatnonzero(measures[pairs.pictures]),
        fingerprint=_fingerprint(pairs, sha256),
        unreadable=tuple(source for source, good in zip(pairs.sources, readable, strict=True) if not good),
        carved=carved,
        seed=seed,
    )


def _refuse_torn(
    pairs: Pairs, sha256: Sequence[str], measures: NDArray[np.bool_], learns: NDArray[np.bool_]
) -> None:
    learned = {sha256[i]: pairs.sources[i] for i in np.flatnonzero(learns).tolist()}
    torn = [i for i in np.flatnonzero(measures).tolist() if sha256[i] in learned]
    if torn:
        first = torn[0]
        raise DataError(
            f"{len(torn)} pictures are in both parts of {pairs.path}: "
            f"{pairs.sources[first]} is the same as {learned[sha256[first]]}",
            code="torn_apart",
            hint="give copies of a picture the same split",
            path=pairs.path,
        )


def _fingerprint(pairs: Pairs, sha256: Sequence[str]) -> str:
    """Return a hash of all names, contents, texts and splits."""
    pictures = fingerprint(pairs.sources, pairs.splits, sha256)
    rows = sorted(
        [pairs.sources[picture], text] for picture, text in zip(pairs.pictures, pairs.texts, strict=True)
    )
    return hashlib.sha256(json.dumps([pictures, rows]).encode()).hexdigest()


def _as_json(pairs: Pairs, division: Division) -> dict[str, Any]:
    def rows(places: NDArray[np.int64]) -> list[list[str]]:
        return [[pairs.sources[i], division.sha256[i]] for i in np.unique(pairs.pictures[places])]

    return {
        "schema": SCHEMA,
        "seed": division.seed,
        "fingerprint": division.fingerprint,
        "carved": division.carved,
        "unreadable": list(division.unreadable),
        "fit": rows(division.fit),
        "test": rows(division.test),
    }


def read_division(run: Path, pairs: Pairs, *, progress: Progress) -> Division:
    """Return the roles that a run gave these pairs.

    Raises:
        DataError: `split_mismatch`: these are not its data, or they have changed.
    """
    found = division_if_same(run, pairs, content_hashes(pairs, progress=progress))
    if found is None:
        raise DataError(
            f"{pairs.path} is not what {run} was started with, or has changed since",
            code="split_mismatch",
            hint="give the data as they were, or train anew",
            path=pairs.path,
        )
    return found


def division_if_same(run: Path, pairs: Pairs, sha256: tuple[str, ...]) -> Division | None:
    """Return the roles that a run gave these pairs, or None where they are others."""

    def division(saved: dict[str, Any]) -> Division | None:
        if saved["schema"] != SCHEMA:
            raise ValueError(f"it is {saved['schema']}")
        places = {source: i for i, source in enumerate(pairs.sources)}
        if saved["fingerprint"] != _fingerprint(pairs, sha256):
            return None
        roles = {
            role: np.isin(pairs.pictures, [places[source] for source, _ in saved[role]])
            for role in ("fit", "test")
        }
        return Division(
            sha256=sha256,
            fit=np.flatnonzero(roles["fit"]),
            test=np.flatnonzero(roles["test"]),
            fingerprint=saved["fingerprint"],
            unreadable=tuple(saved["unreadable"]),
            carved=saved["carved"],
            seed=saved["seed"],
        )

    return files.read_json(run / SPLIT, division, hint=_ANEW)


def content_hashes(pairs: Pairs, *, progress: Progress) -> tuple[str, ...]:
    """Return the content hash of each picture, "" where it cannot be read, without decoding any."""
    return inventories.content_hashes(pairs.dataset, progress=progress)


def learned_contents(run: Path) -> dict[str, str]:
    """Return the pictures that a run learned from, names by content hash; none where it learned from none."""
    if not (run / SPLIT).is_file():
        return {}
    return files.read_json(
        run / SPLIT, lambda saved: {sha256: source for source, sha256 in saved["fit"]}, hint=_ANEW
    )


def refuse_learned(
    learned: Mapping[str, str],
    sources: Sequence[str],
    hashes: Sequence[str],
    rows: NDArray[np.int64],
    path: Path,
) -> None:
    """Refuse pictures that a run learned from, where others are needed.

    Args:
        learned: Its pictures; see `learned_contents`.
        sources: Names of the pictures of some data.
        hashes: Their content hashes; "" where one cannot be read.
        rows: Which of them are meant.
        path: Of the data.

    Raises:
        DataError: `trained_on`.
    """
    seen = [int(i) for i in rows if hashes[i] in learned]
    if seen:
        raise DataError(
            f"{len(seen)} of {len(rows)} pictures were learned from, the first is {sources[seen[0]]}; "
            "a number measured on them would say nothing about new pictures",
            code="trained_on",
            hint="take these pictures out, or name other data",
            path=path,
        )


def read_picture(pairs: Pairs, index: int, preprocess: Preprocess) -> NDArray[np.uint8] | None:
    """Return one picture at model size, uint8 (size, size, channels), or None where it cannot be read."""
    try:
        return preprocess.from_bytes(pairs.read(index).content)
    except ImageError:
        return None

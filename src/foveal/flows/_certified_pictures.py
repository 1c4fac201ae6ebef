"""Pictures, or films, of a certificate by role: what tests, what proved, what tuned, what was used before."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.predictor import Predictor
from foveal.bundle.session import Outputs
from foveal.calibrate.fit import split_roles
from foveal.certify.subject import Answered, Overlap
from foveal.core.batches import in_parts
from foveal.core.errors import DataError, ImageError
from foveal.core.parallel import in_order
from foveal.core.progress import Progress
from foveal.data.dataset import Dataset, UInt8
from foveal.data.inventory import content_hashes
from foveal.data.sizing import evenly_spaced
from foveal.evaluate.held_out import HeldOut, readable
from foveal.evaluate.paired import independent
from foveal.flows._held_out import choose, learned_from, used_contents
from foveal.flows._sealed import Sealed
from foveal.flows._unlabelled import find


@dataclass(frozen=True)
class Used:
    """What a certificate says of its pictures.

    Attributes:
        fingerprint: Of the data.
        split: What part of them tests.
        unseen: How it is known that the test pictures were not learned from; see `_held_out.Chosen`.
        available: Test pictures there are.
        independent: Of them, where of those that belong together one counts.
        unreadable: Test pictures that could not be used.
        roles: Pictures of each role, and a hash over the sorted hashes of their contents.
    """

    fingerprint: str | None
    split: str
    unseen: str | None
    available: int
    independent: int
    unreadable: int
    roles: Mapping[str, tuple[int, str]]

    def as_json(self, dataset: Dataset) -> dict[str, Any]:
        """Return the JSON object; names of the data and no paths."""
        return {
            "name": dataset.path.name,
            "fingerprint": self.fingerprint,
            "split": self.split,
            "unseen": self.unseen,
            "available": self.available,
            "independent": self.independent,
            "unreadable": self.unreadable,
            "grouped_by": list(dataset.grouped_by),
            "roles": {role: {"images": n, "sha256": content} for role, (n, content) in self.roles.items()},
        }


@dataclass(frozen=True)
class Pictures:
    """Pictures with roles.

    Attributes:
        test: What is measured on.
        proving, tuning: Calibration pictures, where the data are those of the training; else None.
        learned: Some that were learned from, evenly spaced; None where the data are others.
        overlap: Test pictures that were used before.
        used: What the certificate says of all of them.
    """

    test: Answered
    proving: Answered | None
    tuning: Answered | None
    learned: HeldOut | None
    overlap: Overlap
    used: Used


@dataclass(frozen=True)
class Wishes:
    """Which pictures are wanted.

    Attributes:
        split: Part of the data; None is the test part of training data and all of other data.
        at_most: Test pictures, evenly spaced.
        seed: Of the draw among pictures that belong together.
        threads: Batches at once.
        learned: Pictures that were learned from, evenly spaced, at most.
    """

    split: str | None
    at_most: int
    seed: int
    threads: int
    learned: int


def pictures(
    predictor: Predictor, sealed: Sealed, dataset: Dataset, wishes: Wishes, *, progress: Progress
) -> Pictures:
    """Return the pictures that a certificate rests on, with the file's answers.

    Args:
        predictor: The file, opened.
        sealed: The same, with what says what it was made from.
        dataset: The data.
        wishes: Which of them.
        progress: Told a few times a second.

    Raises:
        DataError, UsageError: As `_held_out.choose`, or no picture can be read.
    """
    manifest, threads = predictor.manifest, wishes.threads
    hashes = content_hashes(dataset, progress=progress)
    chosen = choose(dataset, hashes, sealed, split=wishes.split, progress=progress)
    held_out = chosen.held_out
    alone = independent(held_out.units, len(held_out), seed=wishes.seed)
    some = held_out.only(alone[evenly_spaced(len(alone), at_most=wishes.at_most)])
    content = dict(zip(dataset.sources, hashes, strict=True))
    found = {"test": answered(predictor, some, threads=threads, progress=progress)}
    calibrated = manifest.data.images.calib > 0  # what was taught is not, by pictures of its own
    if calibrated and held_out.fingerprint == manifest.data.fingerprint and held_out.split != "calib":
        calib = choose(dataset, hashes, sealed, split="calib", progress=progress).held_out
        tuning, proving = split_roles(calib.labels, calib.units, seed=manifest.data.split_seed)
        if len(proving) != manifest.decision.abstain.n:  # a search chose by some of them: roles are not known
            tuning = proving = np.empty(0, np.int64)
        for role, places in (("tuning", tuning), ("proving", proving)):
            if len(places):
                found[role] = answered(predictor, calib.only(places), threads=threads, progress=progress)
    used = used_contents(dataset, hashes, sealed, progress=progress)
    return Pictures(
        test=found["test"],
        proving=found.get("proving"),
        tuning=found.get("tuning"),
        learned=_some(learned_from(dataset, hashes, sealed, progress=progress), wishes),
        overlap=overlap_of(found["test"].held_out.sources, content, used),
        used=Used(
            fingerprint=held_out.fingerprint,
            split=held_out.split,
            unseen=chosen.unseen,
            available=len(held_out),
            independent=len(alone),
            unreadable=found["test"].unreadable,
            roles={
                role: (len(found[role]), digest_of(found[role].held_out.sources, content))
                for role in ("tuning", "proving", "test")
                if role in found
            },
        ),
    )


def _some(learned: HeldOut | None, wishes: Wishes) -> HeldOut | None:
    """Return some of the pictures that were learned from; of those that belong together one."""
    if learned is None:
        return None
    alone = independent(learned.units, len(learned), seed=wishes.seed)
    return learned.only(alone[evenly_spaced(len(alone), at_most=wishes.learned)])


def answered(predictor: Predictor, held_out: HeldOut, *, threads: int, progress: Progress) -> Answered:
    """Return those of the pictures that can be read, with what the file answers for them.

    Raises:
        DataError: `no_readable_images`: there is none.
    """
    chunks = in_parts(len(held_out), predictor.preprocess.shape)

    def work(chunk: range) -> tuple[list[int], Outputs | None]:
        images, positions, _ = readable(held_out, chunk)
        return positions, predictor.run(np.stack(images)) if images else None

    positions: list[int] = []
    parts: list[Outputs] = []
    for chunk, (found, outputs) in zip(
        chunks, in_order(work, chunks, workers=threads, name="foveal-certify"), strict=True
    ):
        positions += found
        parts += [] if outputs is None else [outputs]
        progress("measuring", chunk.stop, len(held_out))
    if not parts:
        raise DataError(f"not one of {len(held_out)} pictures can be used", code="no_readable_images")
    whole = Outputs.joined(parts)
    return Answered(
        held_out.only(np.array(positions, dtype=np.int64)),
        whole.probabilities,
        whole.logits,
        whole.unknown,
        unreadable=len(held_out) - len(positions),
    )


def overlap_of(sources: Sequence[str], content: Mapping[str, str], used: frozenset[str] | None) -> Overlap:
    """Return how many of some pictures were used before.

    Args:
        sources: The pictures.
        content: The hash of each picture of the data.
        used: Hashes of what was used; None: not known.
    """
    if used is None:
        return Overlap(known=False, count=0, n=len(sources))
    return Overlap(known=True, count=sum(content[source] in used for source in sources), n=len(sources))


def digest_of(sources: Sequence[str], content: Mapping[str, str]) -> str:
    """Return a hash over the sorted hashes of some pictures, given that of each picture of the data."""
    return sha256("\n".join(sorted(content[source] for source in sources)).encode()).hexdigest()


def sliced(test: Answered, table: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, NDArray[np.int64]]]:
    """Return the positions of test pictures by column and value of a table.

    Args:
        test: The pictures.
        table: By column the value of each source.
    """
    found: dict[str, dict[str, NDArray[np.int64]]] = {}
    for column, values in table.items():
        places: dict[str, list[int]] = {}
        for place, source in enumerate(test.held_out.sources):
            if values.get(source, "") != "":
                places.setdefault(values[source], []).append(place)
        found[column] = {value: np.array(rows, dtype=np.int64) for value, rows in sorted(places.items())}
    return {column: rows for column, rows in found.items() if rows}


def empty_slices(test: Answered, table: Mapping[str, Mapping[str, str]]) -> tuple[str, ...]:
    """Return, as `column value`, what a table tells apart and no test picture is.

    Args:
        test: The pictures.
        table: By column the value of each source.
    """
    there = set(test.held_out.sources)
    found = []
    for column, values in table.items():
        seen = {value for source, value in values.items() if source in there}
        found += [f"{column} {value}" for value in sorted(set(values.values()) - seen - {""})]
    return tuple(found)


def not_there(sources: Sequence[str], table: Mapping[str, Mapping[str, str]]) -> tuple[str, ...]:
    """Return the pictures that a table names and data do not have, sorted.

    Args:
        sources: Pictures that there are.
        table: By column the value of each source.
    """
    return tuple(sorted({source for values in table.values() for source in values} - set(sources)))


def strangers(
    named: Sequence[Path], predictor: Predictor, *, at_most: int, seed: int, progress: Progress
) -> UInt8 | None:
    """Return pictures of things that a recognizer was not taught, uint8 (N, size, size, C), or None.

    Of a recognizer of clips they are films, uint8 (N, T, size, size, C).

    Args:
        named: Files, folders or archives, or one data set; empty: there are none.
        predictor: The recognizer, whose preprocessing they go through.
        at_most: So many, evenly spaced; of those that a list or their names put together, one.
        seed: Of the draws.
        progress: Told about the files.

    Raises:
        NotFoundError, DataError: As `_unlabelled.find`, or not one can be used.
    """
    if not named:
        return None
    preprocess, images = predictor.preprocess, []
    found = find(named, films=preprocess.clip is not None, seed=seed, progress=progress)
    dataset = preprocess.seeing(found.dataset)
    alone = independent(found.units, len(dataset), seed=seed)
    for place in alone[evenly_spaced(len(alone), at_most=at_most)].tolist():
        with suppress(ImageError):
            images.append(preprocess(dataset.read(place).decode(preprocess.channels)))
    if not images:
        what = "picture" if preprocess.clip is None else "film"
        raise DataError(f"not one {what} in {named[0]} can be used", code="no_readable_images")
    return np.stack(images)

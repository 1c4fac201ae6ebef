"""The folder of a job: what is where, and which job it is."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from foveal.batch import durable
from foveal.core import files
from foveal.core.errors import DataError, UsageError

JOB, LEFT_OUT, PARTS, STAGING, SUPERSEDED = "job.json", "left-out.json", "parts", "staging", "superseded"
SCHEMA = "foveal.job/1"


@dataclass(frozen=True)
class Identity:
    """All that decides the rows of a job; another one needs another folder.

    Attributes:
        digest: Of the bundle.
        engine, precision: What runs it, the same in every worker and after every stop.
        inputs: What the person named, each by its shortest name.
        shard_size: Pictures of a shard.
        format: A file of `batch/formats`.
        scores: Whether rows hold the probability of every class.
        once: Whether equal contents are answered once.
        processes: Among how many it is divided.
    """

    digest: str
    engine: str
    precision: str
    inputs: tuple[str, ...]
    shard_size: int
    format: str
    scores: bool
    once: bool
    processes: int


@dataclass(frozen=True)
class Begun:
    """A job as it was begun.

    Attributes:
        identity: Which job it is.
        root: The folder that relative names are in: where it was begun.
        stamps: Of what was listed last; see `Named.stamps`.
    """

    identity: Identity
    root: Path
    stamps: dict[str, str]


def begun(folder: Path) -> Begun | None:
    """Return the job in a folder, or None where none was begun.

    Raises:
        DataError: `damaged`: the file says nothing.
    """
    if not files.is_there(folder / JOB):
        return None
    return files.read_json(folder / JOB, _begun, hint="begin the job in another folder")


def _begun(found: dict[str, Any]) -> Begun:
    kept = {**found["identity"], "inputs": tuple(found["identity"]["inputs"])}
    return Begun(Identity(**kept), Path(found["root"]), dict(found["stamps"]))


def begin(folder: Path, identity: Identity, stamps: dict[str, str]) -> Begun:
    """Write down which job this is, unless another process was first; return the one that holds.

    Raises:
        WriteError: The folder cannot be written.
    """
    ours = Begun(identity, Path.cwd(), stamps)
    durable.publish_first(folder / JOB, [_text(ours).encode()], "batch.job")
    return begun(folder) or ours


def agree(
    folder: Path,
    theirs: Begun,
    ours: Identity,
    stamps: dict[str, str],
    *,
    relative: bool,
    refresh: bool,
) -> None:
    """Check that a job is the one that is meant.

    Args:
        folder: Of the job.
        theirs: As it was begun.
        ours: Which job is meant.
        stamps: Of what is named, as it is now.
        relative: What is named is another one in another folder.
        refresh: What is named may be another one than when it was listed.

    Raises:
        UsageError: `other_job`: it is another one.
        DataError: `input_changed`: a table, an archive or the list on stdin is another one than it was.
    """
    said, meant = asdict(theirs.identity), asdict(ours)
    if relative:
        said["folder"], meant["folder"] = str(theirs.root), str(Path.cwd())  # the same words, other pictures
    for name, value in meant.items():
        if said[name] != value:
            raise UsageError(
                f"{folder} holds a job with {name} {said[name]!r}, not {value!r}",
                code="other_job",
                hint=f"run the line that began it, in {theirs.root}, or name another --out",
                path=folder,
            )
    if theirs.stamps != stamps and not refresh:
        other = next(
            name for name in {**theirs.stamps, **stamps} if theirs.stamps.get(name) != stamps.get(name)
        )
        raise DataError(
            f"{'the list on stdin' if other == '-' else other} is another one than was listed",
            code="input_changed",
            hint="--refresh takes in what is new and what has changed",
            path=None if other == "-" else other,
        )


def taken_in(folder: Path, theirs: Begun, stamps: dict[str, str]) -> None:
    """Note that what is named was listed again, as it is now; only then is it no longer another one.

    Raises:
        WriteError: The folder cannot be written.
    """
    if theirs.stamps != stamps:
        files.write_text(folder / JOB, _text(replace(theirs, stamps=stamps)))


def note_left_out(folder: Path, left_out: Mapping[str, int]) -> None:
    """Write down how much was not listed, by why.

    Raises:
        WriteError: The folder cannot be written.
    """
    files.write_json(folder / LEFT_OUT, left_out)


def left_out(folder: Path) -> dict[str, int] | None:
    """Return how much was not listed, by why; None: nobody counted when it was listed.

    Raises:
        DataError: `damaged`: the file says nothing.
    """
    if not (folder / LEFT_OUT).exists():
        return None
    return files.read_json(
        folder / LEFT_OUT,
        lambda found: {name: int(count) for name, count in found.items()},
        hint="remove it: nothing but this number is lost",
    )


def _text(job: Begun) -> str:
    written = {"schema": SCHEMA, **asdict(job), "root": str(job.root)}
    return json.dumps(written, indent=1) + "\n"


def at_file(folder: Path, shard: int) -> Path:
    """Return the file in which a worker notes which item of a shard it has in hand."""
    return folder / STAGING / f"shard-{shard:06}.at"


def in_hand(folder: Path, shard: int) -> int | None:
    """Return which item of a shard a worker had in hand last; None: it had begun none."""
    try:
        text = at_file(folder, shard).read_bytes()
        return int(text)
    except (OSError, ValueError):
        return None


def superseded_name(part: str, epoch: int) -> str:
    """Return what a part is called in `superseded`.

    >>> superseded_name("part-000012.jsonl", 3)
    'part-000012.until-3.jsonl'
    """
    stem, _, suffix = part.rpartition(".")
    return f"{stem}.until-{epoch}.{suffix}"


def former_name(name: str) -> str:
    """Return what a part in `superseded` was called.

    >>> former_name("part-000012.until-3.jsonl")
    'part-000012.jsonl'
    """
    stem, _, suffix = name.rpartition(".")
    return f"{stem.partition('.')[0]}.{suffix}"


def number_of(name: str) -> int | None:
    """Return the number of the shard that a file in `staging` belongs to, or None.

    >>> number_of("part-000012.1.abcd.jsonl"), number_of("shard-1234567.at"), number_of("merged.jsonl")
    (12, 1234567, None)
    """
    text = name.partition("-")[2].partition(".")[0]
    return int(text) if text.isdecimal() else None


def part_name(shard: int, suffix: str) -> str:
    """Return the name of a shard's rows in `parts`."""
    return f"part-{shard:06}.{suffix}"

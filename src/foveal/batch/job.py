"""The folder of a job: what is where, and which job it is."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from foveal.batch import durable
from foveal.core import files
from foveal.core.errors import DataError, UsageError

JOB, PARTS, STAGING, SUPERSEDED = "job.json", "parts", "staging", "superseded"
SCHEMA = "foveal.job/1"


@dataclass(frozen=True)
class Identity:
    """All that decides the rows of a job; another one needs another folder.

    Attributes:
        digest: Of the bundle.
        engine, precision: What runs it, the same in every worker and after every stop.
        inputs: What the person named.
        shard_size: Pictures of a shard.
        format: A file of `batch/formats`.
        scores: Whether rows hold the probability of every class.
        once: Whether equal contents are answered once.
    """

    digest: str
    engine: str
    precision: str
    inputs: tuple[str, ...]
    shard_size: int
    format: str
    scores: bool
    once: bool


def agree(folder: Path, identity: Identity, tables: dict[str, str], *, refresh: bool) -> Path:
    """Write down which job this is, or check that it is the one that was begun here.

    Args:
        folder: Of the job.
        identity: Which job is meant.
        tables: sha256 of the tables that are named, as they are now.
        refresh: Tables may be others than at the beginning, and that is noted.

    Returns:
        The folder that relative names are in: where the job was begun.

    Raises:
        UsageError: `other_job`: it is another one.
        DataError: `damaged`: the file says nothing; `input_changed`: a table is another one than it was.
        WriteError: The folder cannot be written.
    """
    ours: dict[str, Any] = {"schema": SCHEMA, **asdict(identity), "inputs": list(identity.inputs)}
    here = str(Path.cwd())
    text = json.dumps({**ours, "root": here, "tables": tables}, indent=1) + "\n"
    durable.publish_first(folder / JOB, [text.encode()], "batch.job")
    theirs = files.read_json(folder / JOB, dict, hint="begin the job in another folder")
    if any(not Path(text).is_absolute() for text in identity.inputs if text != "-"):
        ours["root"] = here  # the same words mean other pictures elsewhere
    for name, value in ours.items():
        if theirs.get(name) != value:
            raise UsageError(
                f"{folder} holds a job with {name} {theirs.get(name)!r}, not {value!r}",
                code="other_job",
                hint="run the line that began it, in the same folder, or name another --out",
                path=folder,
            )
    if theirs["tables"] != tables:
        if not refresh:
            raise DataError(
                "a table is another one than when the job began",
                code="input_changed",
                hint="--refresh takes in what is new and what has changed",
                path=folder,
            )
        files.write_json(folder / JOB, {**theirs, "tables": tables})
    return Path(theirs["root"])


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


def part_name(shard: int, suffix: str) -> str:
    """Return the name of a shard's rows in `parts`."""
    return f"part-{shard:06}.{suffix}"

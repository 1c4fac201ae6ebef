"""The folder of a job: what is where, and which job it is."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from foveal.batch import durable
from foveal.core import files
from foveal.core.errors import UsageError

JOB, PARTS, STAGING = "job.json", "parts", "staging"
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
    """

    digest: str
    engine: str
    precision: str
    inputs: tuple[str, ...]
    shard_size: int
    format: str
    scores: bool


def agree(folder: Path, identity: Identity) -> None:
    """Write down which job this is, or check that it is the one that was begun here.

    Raises:
        UsageError: `other_job`: it is another one.
        DataError: `damaged`: the file says nothing.
        WriteError: The folder cannot be written.
    """
    ours = {"schema": SCHEMA, **asdict(identity), "inputs": list(identity.inputs)}
    durable.publish_first(folder / JOB, [json.dumps(ours, indent=1).encode() + b"\n"], "batch.job")
    theirs = files.read_json(folder / JOB, dict, hint="begin the job in another folder")
    for name, value in ours.items():
        if theirs.get(name) != value:
            raise UsageError(
                f"{folder} holds a job with {name} {theirs.get(name)!r}, not {value!r}",
                code="other_job",
                hint="run the line that began it, or name another --out",
                path=folder,
            )


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


def part_name(shard: int, suffix: str) -> str:
    """Return the name of a shard's rows in `parts`."""
    return f"part-{shard:06}.{suffix}"

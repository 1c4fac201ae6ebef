"""`foveal batch`: every picture of a large collection exactly once, whatever is killed on the way."""

import operator
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

from foveal.batch import durable, formats, job, ledger, listing, manifest
from foveal.batch.job import PARTS, STAGING, Identity
from foveal.batch.ledger import Done, Ledger, Standing
from foveal.batch.run import Running, shards_of
from foveal.bundle.locate import locate
from foveal.bundle.predictor import Predictor
from foveal.core import catalog, files, runs
from foveal.core.errors import NotFoundError, UsageError, WriteError
from foveal.core.progress import Progress, silent
from foveal.flows._where import Where

SCHEMA = "foveal.batch/1"
SHARD_SIZE = 512
_LEDGER = "ledger.sqlite"
_HERE = Where()


@dataclass(frozen=True)
class Wishes:
    """How to go through a collection.

    Attributes:
        null: A list on stdin is separated by NUL.
        format: `jsonl` or `parquet`; None: what the name of the result says, else `jsonl`.
        scores: Rows hold the probability of every class.
        shard_size: Pictures that a worker takes at a time, and that are done again where it dies.
        item_timeout_s: Seconds after which a picture is taken for one that hangs.
        own: Which of how many processes this is, each of which takes every n-th shard; None: the only one.
        engine, precision: What runs it; None: what was found fastest here.
        where: On which backend.
    """

    null: bool = False
    format: str | None = None
    scores: bool = False
    shard_size: int = SHARD_SIZE
    item_timeout_s: float = 60.0
    own: tuple[int, int] | None = None
    engine: str | None = None
    precision: str | None = None
    where: Where = _HERE


def batch(
    model: str | Path,
    inputs: Sequence[str],
    out: Path,
    *,
    wishes: Wishes,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Begin a job, or go on with it, until every picture has its row.

    Args:
        model: A bundle, or a run folder that holds one.
        inputs: See `batch.listing.items`.
        out: A folder, which becomes the job's; or a file `.parquet` or `.jsonl`, beside which the folder
            `NAME.job` lies.
        wishes: How.
        progress: Told about every shard.

    Returns:
        The `foveal.batch/1` document.

    Raises:
        NotFoundError: No bundle, no picture.
        BundleError: The bundle is not to be trusted.
        MissingExtraError: Parquet needs the extra `parquet`.
        UsageError: `other_job`: the folder holds a job of another bundle, or with other options.
        TemporaryError: Another process runs this job, or some shards could not be finished.
        WriteError: The disk is full, or the folder cannot be written.
    """
    began = time.monotonic()
    single = out.suffix[1:] if out.suffix[1:] in catalog.names(formats) else None
    folder = (out.with_name(f"{out.name}.job") if single else out).absolute()
    bundle = locate(model).absolute()
    identity = _identity(bundle, inputs, wishes, single)
    rows = catalog.find(formats, identity.format)
    rows.need()
    _prepare(folder, identity, inputs, wishes)
    index, count = wishes.own or (0, 1)
    name = _LEDGER if wishes.own is None else f"ledger-{index:03}-of-{count:03}.sqlite"
    with runs.locked(folder, f"{name}.lock"), closing(Ledger(folder / name)) as owned:
        running = Running(folder, bundle, Path.cwd(), identity, owned, wishes.item_timeout_s, (index, count))
        before = owned.standing()
        if wishes.own is None and (others := sorted(folder.glob("ledger-*-of-*.sqlite"))):
            now = _joined(others, folder)
        else:
            if owned.is_empty:
                owned.add(shards_of(manifest.shards(folder, size=identity.shard_size), (index, count)))
            running.recover()
            if owned.todo():
                with wishes.where.opened() as (backend, workers):
                    running.carry_out(backend, workers, progress)
            now = owned.standing()
        if single and wishes.own is None:
            _merge(out.absolute(), folder, now.done, identity.format)
    new, seconds = now.ok + now.failed - before.ok - before.failed, time.monotonic() - began
    return {
        "schema": SCHEMA,
        "ok": now.ok > 0 or now.images == 0,
        "job": str(folder),
        "digest": identity.digest,
        "engine": identity.engine,
        "precision": identity.precision,
        "images": now.images,
        "done": now.ok,
        "failed": now.failed,
        "failures": dict(now.codes),
        "abstained": now.abstained,
        "shards": len(now.done),
        "seconds": round(seconds, 3),
        "images_per_second": round(new / seconds, 2),
        "results": str(out if single and wishes.own is None else folder / PARTS),
        "ledger": str(folder / name),
    }


def _identity(bundle: Path, inputs: Sequence[str], wishes: Wishes, single: str | None) -> Identity:
    """Verify the bundle on the engine that will run it, and return which job this is."""
    if single and wishes.format not in (None, single):
        raise UsageError(f"a file .{single} cannot hold {wishes.format}")
    predictor = Predictor.open(bundle, engine=wishes.engine, precision=wishes.precision, threads=1)
    return Identity(
        digest=predictor.digest,
        engine=predictor.session.engine.split()[0],
        precision=predictor.session.precision,
        inputs=tuple(inputs),
        shard_size=wishes.shard_size,
        format=single or wishes.format or "jsonl",
        scores=wishes.scores,
    )


def _prepare(folder: Path, identity: Identity, inputs: Sequence[str], wishes: Wishes) -> None:
    """Make the folder and the manifest unless they are there; a list is never made twice."""
    if not (folder / job.JOB).exists() and folder.is_dir() and any(_foreign(folder)):
        raise WriteError(
            f"{folder} holds something else than a job",
            code="would_overwrite",
            hint="name a folder that is new or empty",
            path=folder,
        )
    for place in (folder, folder / PARTS, folder / STAGING):
        files.make_folder(place)
    if (folder / manifest.NAME).exists():
        job.agree(folder, identity)
        return
    found = iter(listing.items(inputs, null=wishes.null))
    first = next(found, None)
    if first is None:
        raise NotFoundError(f"no picture in {' '.join(inputs)}", hint="name files, folders or a pattern")
    job.agree(folder, identity)
    manifest.publish(folder, (item for part in ([first], found) for item in part))


def _foreign(folder: Path) -> list[str]:
    """Return what lies in a folder that no job which was killed at its beginning leaves there."""
    ours = (PARTS, STAGING)
    return [
        entry.name
        for entry in folder.iterdir()
        if entry.name not in ours and not files.is_left_over(entry.name, of=job.JOB)
    ]


def _joined(others: list[Path], folder: Path) -> Standing:
    """Return what several processes have done together.

    Raises:
        UsageError: `unfinished`: some of them are not there, or have not finished.
    """
    count = int(others[0].stem.rpartition("-")[2])
    found = [ledger.standing(path) for path in others]
    finished = sum(one.finished for one in found)
    if finished < count:
        raise UsageError(
            f"the job is divided among {count} processes, of which {finished} have finished",
            code="unfinished",
            hint=f"run the others: --shard-index 0 to {count - 1} with --shard-count {count}",
            path=folder,
        )
    return reduce(operator.add, found)


def _merge(out: Path, folder: Path, done: Sequence[Done], kind: str) -> None:
    """Write all rows into one file, in the order of the manifest, which appears whole."""
    if out.exists():
        return
    staged = folder / STAGING / f"merged.{kind}"
    files.remove(staged)
    pieces = catalog.find(formats, kind).join(folder / PARTS / one.part for one in done)
    durable.write_new(staged, pieces, "batch.merge")
    durable.move(staged, out, "batch.merged")

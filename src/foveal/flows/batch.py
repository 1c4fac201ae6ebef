"""`foveal batch`: every picture of a large collection exactly once, whatever is killed on the way."""

import itertools
import operator
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import reduce
from pathlib import Path
from typing import Any

from foveal.batch import durable, formats, job, ledger, listing, manifest
from foveal.batch.item import Item
from foveal.batch.job import PARTS, STAGING, Identity
from foveal.batch.ledger import Done, Ledger, Standing
from foveal.batch.refreshing import Refreshed, refresh
from foveal.batch.run import Running, shards_of
from foveal.bundle.locate import locate
from foveal.bundle.predictor import Predictor
from foveal.core import catalog, files, runs
from foveal.core.errors import NotFoundError, UsageError, WriteError
from foveal.core.progress import Progress, silent
from foveal.flows._where import Where

SCHEMA = "foveal.batch/1"
SHARD_SIZE = 512
_LEDGER, _LEDGER_OF, _LEDGERS = "ledger.sqlite", "ledger-{:03}-of-{:03}.sqlite", "ledger-*-of-*.sqlite"
_HERE = Where()


@dataclass(frozen=True)
class Wishes:
    """How to go through a collection.

    Attributes:
        null: A list on stdin is separated by NUL.
        format: `jsonl` or `parquet`; None: what the name of the result says, else `jsonl`.
        scores: Rows hold the probability of every class.
        once: Equal contents are answered once, and have a row each.
        refresh: Look anew for pictures: new ones are taken in, changed ones answered again.
        shard_size: Pictures that a worker takes at a time, and that are done again where it dies.
        item_timeout_s: Seconds after which a picture is taken for one that hangs.
        own: Which of how many processes this is, each of which takes every n-th shard; None: the only one.
        engine, precision: What runs it; None: what was found fastest here.
        where: On which backend.
    """

    null: bool = False
    format: str | None = None
    scores: bool = False
    once: bool = False
    refresh: bool = False
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
        UsageError: `other_job`: the folder holds a job of another bundle, or with other options;
            `unfinished`: it is divided, and some part of it is not finished.
        DataError: `input_changed`: a table is another one than when the job began.
        TemporaryError: Another process runs this job, or some shards could not be finished.
        WriteError: The disk is full, or the folder cannot be written.
    """
    began = time.monotonic()
    single = out.suffix[1:] if out.suffix[1:] in catalog.names(formats) else None
    folder = (out.with_name(f"{out.name}.job") if single else out).absolute()
    bundle = locate(model).absolute()
    identity = _identity(bundle, inputs, wishes, single)
    catalog.find(formats, identity.format).need()
    root = _prepare(folder, identity, wishes, progress)
    name = _LEDGER if wishes.own is None else _LEDGER_OF.format(*wishes.own)
    with runs.locked(folder, f"{name}.lock"), closing(Ledger(folder / name)) as owned:
        divided = [] if wishes.own is not None else sorted(folder.glob(_LEDGERS))
        if wishes.refresh and (divided or wishes.own is not None):
            raise UsageError("--refresh is for a job that is not divided", hint="leave it out")
        refreshed = Refreshed()
        if wishes.refresh and owned.segments:
            found = _listed(identity, root, wishes, progress)
            if single:
                files.remove(out)  # so that no stop from here on leaves one that is out of date
            refreshed = refresh(folder, owned, found, shard_size=identity.shard_size)
        before = owned.standing()
        if divided:
            now = _joined(divided, folder)
        else:
            own = wishes.own or (0, 1)
            running = Running(folder, bundle, root, identity, owned, wishes.item_timeout_s, own)
            _finish(running, wishes.where, progress)
            now = owned.standing()
        new, whole = now.rows - before.rows, single is not None and wishes.own is None
        if whole and (new or not out.exists()):
            _merge(out.absolute(), folder, now.done, identity.format)
    seconds = time.monotonic() - began
    return {
        "schema": SCHEMA,
        "ok": now.ok > 0 or now.images == 0,
        "job": str(folder),
        "digest": identity.digest,
        "engine": identity.engine,
        "precision": identity.precision,
        **now.as_json(),
        **asdict(refreshed),
        "seconds": round(seconds, 3),
        "images_per_second": 0.0 if divided else round(new / seconds, 2),
        "results": str(out if whole else folder / PARTS),
        "ledger": str(folder / name),
    }


def _finish(running: Running, where: Where, progress: Progress) -> None:
    """Do what is left of the shards that are this process's."""
    if running.ledger.segments < manifest.segments(running.folder):
        shards = manifest.shards(running.folder, size=running.identity.shard_size)
        running.ledger.add(shards_of(shards, running.own))
    running.recover()
    if running.ledger.todo():
        with where.opened() as (backend, workers):
            running.carry_out(backend, workers, progress)


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
        once=wishes.once,
    )


def _prepare(folder: Path, identity: Identity, wishes: Wishes, progress: Progress) -> Path:
    """Make the folder and the manifest unless they are there; return the folder of relative names."""
    if not (folder / job.JOB).exists() and folder.is_dir() and any(_foreign(folder)):
        raise WriteError(
            f"{folder} holds something else than a job",
            code="would_overwrite",
            hint="name a folder that is new or empty",
            path=folder,
        )
    for place in (folder, folder / PARTS, folder / STAGING):
        files.make_folder(place)
    tables = listing.tables(identity.inputs)
    if manifest.segments(folder):
        return job.agree(folder, identity, tables, refresh=wishes.refresh)
    found = iter(_listed(identity, Path.cwd(), wishes, progress))
    first = next(found, None)
    if first is None:
        named = " ".join(identity.inputs)
        raise NotFoundError(f"no picture in {named}", hint="name files, folders or a pattern")
    root = job.agree(folder, identity, tables, refresh=False)
    manifest.publish(folder, 1, itertools.chain([first], found))
    return root


def _listed(identity: Identity, root: Path, wishes: Wishes, progress: Progress) -> Iterable[Item]:
    """Return the pictures that are named, as they are now."""
    found = listing.numbered(listing.items(identity.inputs, null=wishes.null))
    return listing.once(found, root, progress) if identity.once else found


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
    together = reduce(operator.add, found)
    # Who was killed before it had noted what is its own has nothing left to do, and yet has not finished.
    listed = sum(shard.items for shard in manifest.shards(folder, size=1 << 40))
    if together.rows < listed:
        raise UsageError(
            f"the job is divided among {count} processes, which have answered {together.rows} of {listed} "
            "pictures so far",
            code="unfinished",
            hint=f"run the others: --shard-index 0 to {count - 1} with --shard-count {count}",
            path=folder,
        )
    return together


def _merge(out: Path, folder: Path, done: Sequence[Done], kind: str) -> None:
    """Write all rows into one file, in the order of the manifest, which appears whole."""
    staged = folder / STAGING / f"merged.{kind}"
    files.remove(staged)
    pieces = catalog.find(formats, kind).join(folder / PARTS / one.part for one in done)
    durable.write_new(staged, pieces, "batch.merge")
    durable.move(staged, out, "batch.merged")

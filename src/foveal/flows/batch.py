"""`foveal batch`: every picture of a large collection exactly once, whatever is killed on the way."""

import itertools
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from foveal.batch import formats, job, listing, manifest
from foveal.batch.item import Item
from foveal.batch.job import PARTS, STAGING, Begun, Identity
from foveal.batch.ledger import Ledger, Standing
from foveal.batch.listing import Named
from foveal.batch.refreshing import Refreshed, refresh
from foveal.batch.run import Running
from foveal.batch.target import Target
from foveal.bundle import archive
from foveal.bundle.locate import locate
from foveal.bundle.predictor import Predictor
from foveal.core import catalog, extras, files, runs
from foveal.core.errors import UsageError, WriteError
from foveal.core.progress import Progress, silent
from foveal.core.task import SCENE_TASKS
from foveal.flows._where import Where

SCHEMA = "foveal.batch/1"
SHARD_SIZE = 512
_LEDGER, _LEDGER_OF = "ledger.sqlite", "ledger-{:03}-of-{:03}.sqlite"
_WHOLE = "job.lock"  # of whoever runs, or joins, all of a job and no share of it
_NOTHING = {"hidden": 0, "no_picture": 0}
_HERE = Where()


@dataclass(frozen=True)
class Wishes:
    """How to go through a collection.

    Attributes:
        null: A list on stdin is separated by NUL.
        format: `jsonl` or `parquet`; None: what the name of the result says, else `jsonl`.
        scores: Rows hold the probability of every class; not of what says where something is.
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
        inputs: See `batch.listing.Named`.
        out: A folder, which becomes the job's; or a file `.parquet` or `.jsonl`, beside which the folder
            `NAME.job` lies.
        wishes: How.
        progress: Told about every shard.

    Returns:
        The `foveal.batch/1` document.

    Raises:
        NotFoundError: No bundle, no picture.
        BundleError: The bundle is not to be trusted.
        MissingExtraError: Parquet needs the extra `parquet`, films the extra `video`.
        UsageError: `other_task`: scores are wanted of what gives pictures no class; `other_job`: the folder
            holds a job of another bundle, or with other options; `unfinished`: it is divided, and some part
            of it is not finished.
        DataError: `input_changed`: a table is another one than when the job began.
        TemporaryError: Another process runs this job, or some shards could not be finished.
        WriteError: The disk is full, or the folder cannot be written.
    """
    began = time.monotonic()
    single = _format_of(out)
    folder = (out.with_name(f"{out.name}.job") if single else out).absolute()
    wishes.where.check()
    bundle = locate(model).absolute()
    manifest = archive.read(bundle).manifest
    if wishes.scores and manifest.task in SCENE_TASKS:
        raise UsageError("this recognizer says where something is: no class has a score", code="other_task")
    films = manifest.preprocess.clip is not None
    if films:
        extras.need("video", what="reading films")
    theirs = job.begun(folder)
    words = _words(inputs, theirs)
    named = Named.of(words, null=wishes.null, films=films)
    identity = _identity(bundle, words, wishes, single, theirs)
    catalog.find(formats, identity.format).need()
    target = Target(out.absolute(), folder) if single and wishes.own is None else None
    if target is not None:
        target.check()
    if theirs is None:  # its pictures are listed now, and that is enough
        wishes = replace(wishes, refresh=False)
    stamps = named.stamps()
    theirs = _prepare(folder, identity, named, stamps, refresh=wishes.refresh, progress=progress)
    place = _Place(folder, bundle, named, stamps, theirs)
    # Until the file is there, too: what another one adds meanwhile would be missing in it.
    with runs.locked(folder, _WHOLE) if wishes.own is None else nullcontext():
        before, now, refreshed = _carried_out(place, wishes, progress)
        if target is not None:
            target.join(now.done, identity.format)
    results = out if target is not None else folder / PARTS
    told = _document(place, before, now, own=wishes.own, results=results, seconds=time.monotonic() - began)
    return told | asdict(refreshed)


@dataclass(frozen=True)
class _Place:
    """A job, wherever it stands.

    Attributes:
        folder: Of the job.
        bundle: The file.
        named: What is named now.
        stamps: By what it would be noticed that it is another one; see `Named.stamps`.
        begun: Which job it is, and what was named when it began.
    """

    folder: Path
    bundle: Path
    named: Named
    stamps: dict[str, str]
    begun: Begun

    @property
    def identity(self) -> Identity:
        """Which job it is."""
        return self.begun.identity

    @contextmanager
    def owned(self, own: tuple[int, int], timeout_s: float) -> Iterator[Running]:
        """Yield one process's share of it, which nobody else has at the same time."""
        name = _ledger_of(self.identity, own)
        with runs.locked(self.folder, f"{name}.lock"), closing(Ledger(self.folder / name)) as owned:
            yield Running(
                self.folder,
                self.bundle,
                self.begun.root,
                self.stamps,
                self.identity,
                owned,
                timeout_s,
                own,
            )


def _document(
    place: "_Place",
    before: Standing,
    now: Standing,
    *,
    own: tuple[int, int] | None,
    results: Path,
    seconds: float,
) -> dict[str, Any]:
    """Return the `foveal.batch/1` document, but for what was refreshed."""
    new = now.rows - before.rows
    return {
        "schema": SCHEMA,
        "ok": now.ok > 0 or own is not None,
        "job": str(place.folder),
        "digest": place.identity.digest,
        "engine": place.identity.engine,
        "precision": place.identity.precision,
        "processes": place.identity.processes,
        **now.as_json(),
        "left_out": job.left_out(place.folder),
        "seconds": round(seconds, 3),
        "new_rows": new,
        "images_per_second": round(new / seconds, 2),
        "results": str(results),
        "ledger": str(place.folder / _ledger_of(place.identity, own)),
    }


def _carried_out(place: _Place, wishes: Wishes, progress: Progress) -> tuple[Standing, Standing, Refreshed]:
    """Do what is to be done; return where the job stood, where it stands, and what a new listing found."""
    shares = place.identity.processes
    if wishes.own is None and shares > 1:
        now = _together(place, wishes)
        return now, now, Refreshed()
    refreshed = Refreshed()
    with place.owned(wishes.own or (0, 1), wishes.item_timeout_s) as running:
        running.take_in()
        if wishes.refresh:
            refreshed = _taken_in(place, running, progress)
        before = running.ledger.standing()
        running.recover()
        if running.ledger.todo():
            with wishes.where.opened() as (backend, workers):
                running.carry_out(backend, workers, progress)
        return before, running.ledger.standing(), refreshed


def _taken_in(place: _Place, running: Running, progress: Progress) -> Refreshed:
    """Look anew at what is named, and take in what is new and what has changed."""
    runs.keep_apart(place.folder, *place.named.read_only(place.folder))
    left_out = Counter(_NOTHING)
    listed = place.named.items(left_out, emptied=True)
    found = _ordered(listed, place.identity, place.begun.root, progress, films=place.named.films)
    refreshed = refresh(place.folder, running.ledger, found, shard_size=place.identity.shard_size)
    running.take_in()
    job.note_left_out(place.folder, left_out)
    job.taken_in(place.folder, place.begun, place.stamps)
    return refreshed


def _together(place: _Place, wishes: Wishes) -> Standing:
    """Return what several processes have done.

    Raises:
        UsageError: `unfinished`: some of them are not there, or have not finished.
        TemporaryError: One of them still runs.
    """
    count, now = place.identity.processes, Standing()
    for index in range(count):
        if (place.folder / _ledger_of(place.identity, (index, count))).exists():
            with place.owned((index, count), wishes.item_timeout_s) as running:
                running.recover()
                now += running.ledger.standing()
    # Who was killed before it had noted what is its own has nothing left to do, and yet has not finished.
    listed = sum(shard.items for shard in manifest.shards(place.folder, size=place.identity.shard_size))
    if now.rows < listed:
        raise UsageError(
            f"the job is divided among {count} processes, which have answered {now.rows} of {listed} "
            "pictures so far",
            code="unfinished",
            hint=f"run the others: --shard-index 0 to {count - 1} with --shard-count {count}",
            path=place.folder,
        )
    return now


def _ledger_of(identity: Identity, own: tuple[int, int] | None) -> str:
    """Return the name of a process's ledger."""
    return _LEDGER if identity.processes == 1 else _LEDGER_OF.format(*(own or (0, identity.processes)))


def _format_of(out: Path) -> str | None:
    """Return the format of a single file, by its name; None: it is a folder.

    Raises:
        UsageError: It looks like a file that rows cannot be written to.
    """
    known = catalog.names(formats)
    if out.suffix[1:].lower() in known:
        return out.suffix[1:].lower()
    if out.suffix.lower() in (".csv", ".json", ".txt", ".tsv", ".xlsx", ".db", ".sqlite"):
        raise UsageError(
            f"rows are not written as {out.suffix}", hint=f"--out F.{' or F.'.join(known)}, or a folder"
        )
    return None


def _identity(
    bundle: Path, inputs: Sequence[str], wishes: Wishes, single: str | None, theirs: Begun | None
) -> Identity:
    """Verify the bundle on the engine that will run it, and return which job is meant.

    What is not asked for is as it was when the job began: the fastest engine may be another one by now.
    """
    if single and wishes.format not in (None, single):
        raise UsageError(f"a file .{single} cannot hold {wishes.format}")
    engine, precision, processes = wishes.engine, wishes.precision, 1 if wishes.own is None else wishes.own[1]
    if theirs is not None:
        engine = engine or theirs.identity.engine
        precision = precision or theirs.identity.precision
        processes = theirs.identity.processes if wishes.own is None else processes
    if wishes.refresh and processes > 1:
        raise UsageError("--refresh is for a job that is not divided", hint="leave it out")
    predictor = Predictor.open(bundle, engine=engine, precision=precision, threads=1)
    return Identity(
        digest=predictor.digest,
        engine=predictor.session.engine.split()[0],
        precision=predictor.session.precision,
        inputs=tuple(inputs),
        shard_size=wishes.shard_size,
        format=single or wishes.format or "jsonl",
        scores=wishes.scores,
        once=wishes.once,
        processes=processes,
    )


def _words(inputs: Sequence[str], theirs: Begun | None) -> tuple[str, ...]:
    """Return what is named, as the job calls it where it is the same but for how it is written."""
    words = tuple(map(listing.normal, inputs))
    if theirs is not None and tuple(map(listing.normal, theirs.identity.inputs)) == words:
        return theirs.identity.inputs
    return words


def _prepare(
    folder: Path,
    identity: Identity,
    named: Named,
    stamps: dict[str, str],
    *,
    refresh: bool,
    progress: Progress,
) -> Begun:
    """Make the folder and the manifest unless they are there; return the job as it was begun."""
    if foreign := _foreign(folder):
        raise WriteError(
            f"{folder} holds something else than a job: {foreign[0]}",
            code="would_overwrite",
            hint="name a folder that is new or empty",
            path=folder,
        )
    theirs = job.begun(folder)  # others may have begun it meanwhile
    if theirs is not None and manifest.segments(folder):
        job.agree(folder, theirs, identity, stamps, relative=named.relative, refresh=refresh)
        return theirs
    runs.keep_apart(folder, *named.read_only(folder))
    left_out = Counter(_NOTHING)
    root = Path.cwd() if theirs is None else theirs.root
    found = iter(_ordered(named.items(left_out), identity, root, progress, films=named.films))
    first = next(found)  # what names nothing is refused before anything is written
    for place in (folder, folder / PARTS, folder / STAGING):
        files.make_folder(place)
    theirs = job.begin(folder, identity, stamps)
    job.agree(folder, theirs, identity, stamps, relative=named.relative, refresh=refresh)
    manifest.publish(folder, 1, _noting(itertools.chain([first], found), folder, left_out))
    return theirs


def _noting(found: Iterable[Item], folder: Path, left_out: Counter[str]) -> Iterator[Item]:
    """Yield what was found, and then note what was left out, before there is a manifest to go by."""
    yield from found
    if not manifest.segments(folder):
        job.note_left_out(folder, left_out)


def _ordered(
    listed: Iterable[Item], identity: Identity, root: Path, progress: Progress, *, films: bool
) -> Iterable[Item]:
    """Return the pictures that were listed, numbered, and in the order of their rows."""
    found = listing.numbered(listed)
    return listing.once(found, root, progress, films=films) if identity.once else found


def _foreign(folder: Path) -> list[str]:
    """Return what lies in a folder without a job that none which was killed at its beginning leaves there."""
    if not files.is_folder(folder):
        return []
    names = sorted(entry.name for entry in folder.iterdir())
    if job.JOB in names:
        return []
    return [
        name for name in names if name not in (PARTS, STAGING) and not files.is_left_over(name, of=job.JOB)
    ]

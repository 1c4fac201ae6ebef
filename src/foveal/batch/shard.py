"""What a worker does with a shard: `begin` once, then `run` for each."""

import hashlib
import os
import secrets
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foveal.batch import durable, formats, job, manifest, reading
from foveal.batch.formats._format import Row, RowFormat
from foveal.batch.item import Item
from foveal.bundle.inputs import UInt8, pixels
from foveal.bundle.predictor import Predictor
from foveal.core import catalog, failpoints
from foveal.core.errors import DataError, NotFoundError, UsageError

KILLED = "worker_killed"
_GROUP = 8
_AT_BYTES = 9  # of the number of the item in hand


@dataclass(frozen=True)
class Worker:
    """What a worker keeps from shard to shard."""

    predictor: Predictor
    folder: Path
    root: Path
    format: RowFormat
    suffix: str
    scores: bool
    timeout_s: float


def begin(spec: Mapping[str, Any]) -> Worker:
    """Load the bundle.

    Raises:
        UsageError: `other_job`: it is another one than the job was begun with.
        FovealError: It cannot be loaded.
    """
    predictor = Predictor.open(spec["bundle"], engine=spec["engine"], precision=spec["precision"], threads=1)
    if predictor.digest != spec["digest"]:
        raise UsageError(
            f"{spec['bundle']} was replaced while the job ran",
            code="other_job",
            hint="begin a job in another folder for the new one",
        )
    return Worker(
        predictor=predictor,
        folder=Path(spec["folder"]),
        root=Path(spec["root"]),
        format=catalog.find(formats, spec["format"]),
        suffix=spec["format"],
        scores=spec["scores"],
        timeout_s=spec["item_timeout_s"],
    )


def run(spec: Mapping[str, Any], worker: Worker) -> dict[str, Any]:
    """Predict a shard's items and leave their rows in `staging`.

    Each item's number is on the disk before anything of it is read, so that whoever finds us dead knows
    which one it was. A decoder that never returns is ended by the system, and we with it.

    Args:
        spec: `shard`, `offset`, `items`, `epoch`, and `quarantined`: numbers of items that are not to be
            touched.
        worker: What `begin` returned.

    Returns:
        `staged`, the name of the file, its `sha256`, and what is `counted` in it.
    """
    items = list(manifest.read(worker.folder, offset=spec["offset"], count=spec["items"]))
    quarantined = frozenset(spec["quarantined"])
    rows: list[Row] = []
    with _hand(job.at_file(worker.folder, spec["shard"]), worker.timeout_s) as take:
        for first in range(0, len(items), _GROUP):
            group = range(first, min(first + _GROUP, len(items)))
            rows += _answered(items, group, quarantined, worker, take)
    data = worker.format.encode(rows, worker.scores)
    number, token = spec["shard"], secrets.token_hex(4)  # nobody else writes to a file of this name
    name = f"part-{number:06}.{spec['epoch']}.{token}.{worker.suffix}"
    durable.write_new(worker.folder / job.STAGING / name, [data], "batch.part")
    failpoints.reach("batch.receipt")
    return {"staged": name, "sha256": hashlib.sha256(data).hexdigest(), "counted": _counted(rows)}


def _answered(
    items: Sequence[Item],
    group: range,
    quarantined: frozenset[int],
    worker: Worker,
    take: Callable[[int], None],
) -> Iterator[Row]:
    """Yield the rows of some items: all pictures first, then all runs, as both empty the caches."""
    prepared: dict[int, tuple[str, UInt8] | Row] = {}
    for index in group:
        reading.ask_for(items, worker.root, index)
        if index in quarantined:
            prepared[index] = _failed(items[index], worker, None, KILLED, "workers died of this picture")
        else:
            take(index)
            prepared[index] = _prepared(items[index], worker)
    for index, found in prepared.items():
        if isinstance(found, dict):
            yield found
        else:
            take(index)
            yield _row(items[index], worker, *found)


def _prepared(item: Item, worker: Worker) -> tuple[str, UInt8] | Row:
    """Return the sha256 of the content and the picture at model size, or the row that says why not."""
    content = None
    try:
        data = reading.content(item, worker.root)
        content = hashlib.sha256(data).hexdigest()
        return content, pixels(data, worker.predictor.preprocess)
    except (DataError, NotFoundError) as error:  # of this picture; anything else is of the worker
        return _failed(item, worker, content, error.code, error.message)


def _row(item: Item, worker: Worker, content: str, image: UInt8) -> Row:
    try:
        [label] = worker.predictor.predict(image)
    except DataError as error:  # what the model says of this picture is no probability
        return _failed(item, worker, content, error.code, error.message)
    said = label.as_json()
    if not worker.scores:
        del said["scores"]
    return {**_about(item, worker, content), **said, "source": item.source}


def _failed(item: Item, worker: Worker, content: str | None, code: str, message: str) -> Row:
    return {**_about(item, worker, content), "error": {"code": code, "message": message}}


def _about(item: Item, worker: Worker, content: str | None) -> Row:
    return {
        "source": item.source,
        "occurrence": item.occurrence,
        "content": content,
        "bundle": worker.predictor.digest,
    }


def _counted(rows: Sequence[Row]) -> dict[str, Any]:
    """Return how many rows are answers, errors by their code, and answers that decline."""
    codes = Counter(row["error"]["code"] for row in rows if "error" in row)
    return {
        "ok": len(rows) - codes.total(),
        "failed": codes.total(),
        "abstained": sum(row.get("abstain") is True for row in rows),
        "codes": dict(codes),
    }


@contextmanager
def _hand(path: Path, timeout_s: float) -> Iterator[Callable[[int], None]]:
    """Yield what notes the item that is taken in hand, and lets the system end us if it is for too long.

    The default action of SIGALRM ends the process inside of any library, which no exception could.
    """
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)

    def take(index: int) -> None:
        os.pwrite(handle, f"{index:{_AT_BYTES - 1}}\n".encode(), 0)
        signal.setitimer(signal.ITIMER_REAL, timeout_s)

    try:
        yield take
        os.ftruncate(handle, 0)  # whatever we die of from here on, no picture is to blame
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        os.close(handle)

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
from foveal.batch.formats._format import Row, RowFormat, Said
from foveal.batch.item import Item
from foveal.bundle.inputs import UInt8, measured
from foveal.bundle.inspecting import judged, unjudged
from foveal.bundle.predictor import Predictor
from foveal.core import catalog, failpoints
from foveal.core.errors import BundleError, FovealError, ImageError, NotFoundError, UsageError

KILLED = "worker_killed"
_GROUP = 8
_AT_BYTES = 9  # of the number of the item in hand


@dataclass(frozen=True)
class Worker:
    """What a worker keeps from shard to shard."""

    predictor: Predictor
    folder: Path
    root: Path
    stamps: Mapping[str, str]
    format: RowFormat
    suffix: str
    said: Said
    once: bool
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
    manifest = predictor.manifest
    return Worker(
        predictor=predictor,
        folder=Path(spec["folder"]),
        root=Path(spec["root"]),
        stamps=spec["stamps"],
        format=catalog.find(formats, spec["format"]),
        suffix=spec["format"],
        said=Said(
            manifest.task,
            spec["scores"],
            attributes=bool(manifest.attributes),
            judged=manifest.inspection is not None,
        ),
        once=spec["once"],
        timeout_s=spec["item_timeout_s"],
    )


def run(spec: Mapping[str, Any], worker: Worker) -> dict[str, Any]:
    """Predict a shard's items and leave their rows in `staging`.

    Each item's number is on the disk before anything of it is read, so that whoever finds us dead knows
    which one it was. A decoder that never returns is ended by the system, and we with it.

    Args:
        spec: `shard`, `segment`, `offset`, `items`, `epoch`, and `quarantined`: numbers of items that are
            not to be touched.
        worker: What `begin` returned.

    Returns:
        `staged`, the name of the file, its `sha256`, and what is `counted` in it.
    """
    items = list(manifest.read(worker.folder, spec["segment"], offset=spec["offset"], count=spec["items"]))
    with _hand(job.at_file(worker.folder, spec["shard"]), worker.timeout_s) as take:
        answering = _Answering(items, frozenset(spec["quarantined"]), worker, take)
        rows = [row for first in range(0, len(items), _GROUP) for row in answering.group(first)]
    data = worker.format.encode(rows, worker.said)
    number, token = spec["shard"], secrets.token_hex(4)  # nobody else writes to a file of this name
    name = f"part-{number:06}.{spec['epoch']}.{token}.{worker.suffix}"
    durable.write_new(worker.folder / job.STAGING / name, [data], "batch.part")
    failpoints.reach("batch.receipt")
    counted = {**_counted(rows), "copies": answering.copies}
    return {"staged": name, "sha256": hashlib.sha256(data).hexdigest(), "counted": counted}


class _Answering:
    """The rows of a shard, as they are made."""

    def __init__(
        self,
        items: Sequence[Item],
        quarantined: frozenset[int],
        worker: Worker,
        take: Callable[[int], None],
    ) -> None:
        self._items, self._quarantined = items, quarantined
        self._worker, self._take = worker, take
        self._made: dict[str, Row | None] = {}  # by content; None: its picture is about to be run
        self.copies = 0
        """Rows that were made from that of another picture with the same content."""

    def group(self, first: int) -> Iterator[Row]:
        """Yield the next rows: all pictures are decoded first, then all are run, as both empty the caches.

        While they are run, the disk reads those of the next group.
        """
        group = range(first, min(first + _GROUP, len(self._items)))
        prepared = [(index, self._prepared(index)) for index in group]
        for item in self._items[group.stop : group.stop + _GROUP]:
            reading.ahead(item, self._worker.root)
        for index, found in prepared:
            if isinstance(found, dict):
                row = found
            elif isinstance(found, str):
                original = self._made[found]
                assert original is not None
                row = {**original, **self._about(index, found)}
                self.copies += 1
            else:
                self._take(index)
                row = self._kept(self._row(index, *found))
            yield row

    def _prepared(self, index: int) -> "tuple[str, UInt8, tuple[int, int]] | str | Row":
        """Return the content's sha256, the picture at model size and its own size, or what is there instead.

        The sha256 alone: the row of another picture is to be copied; a row: there is no answer.
        """
        item, content = self._items[index], None
        if index in self._quarantined:
            return self._failed(index, None, KILLED, "workers died of this picture")
        self._take(index)
        try:
            wanted = self._worker.predictor.preprocess
            kind = {"films": wanted.clip is not None, "pairs": wanted.pair is not None}
            data = reading.content(item, self._worker.root, self._worker.stamps, **kind)
            content = hashlib.sha256(data).hexdigest()
            if content in self._made:
                return content
            image, size = measured(data, self._worker.predictor.preprocess)
        except (ImageError, NotFoundError) as error:  # of this picture; anything else is of the whole job
            return self._kept(self._failed(index, content, error.code, error.message))
        if self._worker.once:
            self._made[content] = None
        return content, image, size

    def _kept(self, row: Row) -> Row:
        """Return a row, which others with the same content may copy from now on."""
        if self._worker.once and row["content"] is not None:
            self._made[row["content"]] = row
        return row

    def _row(self, index: int, content: str, image: UInt8, size: tuple[int, int]) -> Row:
        predictor = self._worker.predictor
        rule = predictor.manifest.inspection
        try:
            answers = predictor.ask(image[None])
            [told] = predictor.tell(answers, sources=[""], sizes=[size])
        except BundleError as error:  # what the model says of this picture is no answer
            return self._failed(index, content, error.code, error.message)
        said = told.as_json()
        if rule is not None:
            said |= judged(predictor, image, answers, rule=rule).as_json()
        del said["source"]
        if not self._worker.said.scores:
            said.pop("scores", None)
        return {**self._about(index, content), **said}

    def _failed(self, index: int, content: str | None, code: str, message: str) -> Row:
        error: Row = {"error": {"code": code, "message": message}}
        if self._worker.said.judged:
            error |= unjudged(FovealError(message, code=code)).as_json()
        return {**self._about(index, content), **error}

    def _about(self, index: int, content: str | None) -> Row:
        item = self._items[index]
        return {
            "source": item.source,
            "occurrence": item.occurrence,
            "content": content,
            "bundle": self._worker.predictor.digest,
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

"""What a worker does with a shard: `begin` once, then `run` for each."""

import hashlib
import os
import secrets
import signal
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foveal.batch import durable, formats, job, manifest, reading
from foveal.batch.formats._format import Row, RowFormat
from foveal.batch.item import Item
from foveal.bundle.inputs import pixels
from foveal.bundle.predictor import Predictor
from foveal.core import catalog, failpoints
from foveal.core.errors import DataError, FovealError, ImageError, NotFoundError, UsageError
from foveal.core.types import Label
from foveal.data.dataset import UInt8
from foveal.data.decode import LIMITS

_GROUP = 8  # pictures that are decoded before they are run: taking turns, both empty the caches
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
    predictor = Predictor.open(
        spec["bundle"], engine=spec["engine"], precision=spec["precision"], threads=1
    )
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
        spec: `shard`, `segment`, `offset`, `items`, `epoch`, `attempt`, and `quarantined`: numbers of items
            that are not to be touched.
        worker: What `begin` returned.

    Returns:
        `staged`, the name of the file, its `sha256` and `bytes`, and what `counted` is in it.
    """
    items = list(
        manifest.read(worker.folder, spec["segment"], offset=spec["offset"], count=spec["items"])
    )
    rows: list[Row] = []
    twins = 0
    with _hand(job.at_file(worker.folder, spec["shard"]), worker.timeout_s) as hand:
        quarantined = set(spec["quarantined"])
        for first in range(0, len(items), _GROUP):
            twins += _group(items, range(first, min(first + _GROUP, len(items))), rows, quarantined, worker, hand)
    data = worker.format.encode(rows, worker.scores)
    number, token = spec["shard"], secrets.token_hex(4)  # nobody else writes to a file of this name
    name = f"part-{number:06}.{spec['epoch']}.{spec['attempt']}.{token}.{worker.suffix}"
    durable.write_new(worker.folder / job.STAGING / name, [data], "batch.part")
    failpoints.reach("batch.receipt")
    counted = count(rows)
    return {
        "staged": name,
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "counted": {**counted, "duplicates": twins},
    }

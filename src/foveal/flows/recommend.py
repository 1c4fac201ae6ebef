"""`foveal models --recommend`: which architectures answer fast enough here, for pictures like these.

Nothing is trained: how fast an answer is can be measured beforehand, how good it is cannot.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from foveal import models
from foveal.bundle.roofline import Roofline, roofline
from foveal.core import catalog, limits
from foveal.core.errors import UsageError
from foveal.core.progress import Progress, silent
from foveal.data import opening
from foveal.data.dataset import Dataset
from foveal.data.preprocess import Preprocess
from foveal.flows._answer_time import AnswerTime, answer_time
from foveal.flows._machine import busy, describe
from foveal.flows._prepare import suggested
from foveal.flows.model_cost import bounds
from foveal.models import Task
from foveal.models._cost import Cost, cost

SCHEMA = "foveal.models/1"
# Winograd's algorithm for 3×3 filters needs that much fewer multiply-adds (Lavin & Gray, 2016, F(2×2, 3×3)),
# and other work may have disturbed the peak: what only looks too slow is measured.
_DOUBT = 2.25
_FEW = 100  # pictures of a class: with fewer, weights that are there say more than any choice among networks
_FIRST = ("nano", "cnn_gru")  # learn the most in minutes: chosen wherever they are fast enough


@dataclass(frozen=True)
class Wanted:
    """What is asked.

    Attributes:
        latency_seconds: The most that the median answer may take; None: all are ranked.
        size: Side of the input in pixels; None: from the pictures, as training does.
        threads: Of one answer.
        seconds: No further network is measured after so long, not counting what it takes to count their
            multiply-adds; nano comes first, then few multiply-adds.
        task: `classify` for pictures or `video` for films, where both lie in the data; None: as the data say.
    """

    latency_seconds: float | None = None
    size: int | None = None
    threads: int = 1
    seconds: float = 120.0
    task: str | None = None


@dataclass(frozen=True)
class Ranked:
    """One architecture.

    Attributes:
        cost: What an answer costs.
        bound_seconds: Least time for its multiply-adds and weights; None: this machine's peak is not known.
        found: What was measured, or None.
        why_not: Why nothing was.
    """

    cost: Cost = field(repr=False)
    bound_seconds: float | None
    found: AnswerTime | None = None
    why_not: str | None = None

    @property
    def order(self) -> tuple[bool, float]:
        """The fastest first, then what was not measured, from few multiply-adds to many."""
        if self.found is None:
            return True, float(self.cost.macs)
        return False, self.found.latency.value

    def fits(self, limit: float | None) -> bool | None:
        """Return whether it is within a limit in seconds; None: nobody knows."""
        if self.found is not None:
            return limit is None or self.found.latency.value <= limit
        return False if _hopeless(self.bound_seconds, limit) else None

    def as_json(self, limit: float | None) -> dict[str, Any]:
        """Return a row of the document."""
        return {
            "name": catalog.spoken(self.cost.name),
            "family": models.card(self.cost.name).family,
            "latency_ms": None if self.found is None else self.found.latency.scaled(1e3).as_json(),
            "bound_ms": None if self.bound_seconds is None else self.bound_seconds * 1e3,
            "size_bytes": None if self.found is None else self.found.size_bytes,
            "parameters": self.cost.parameters,
            "macs": self.cost.macs,
            "fits": self.fits(limit),
            "why_not_measured": self.why_not,
        }


def recommend(data: str | Path, wanted: Wanted, *, progress: Progress = silent) -> dict[str, Any]:
    """Return the `foveal.models/1` document with `recommend`: architectures by measured latency.

    `chosen` is nano, for films cnn_gru, where it is fast enough, otherwise the slowest of those that are.

    Args:
        data: Anything `foveal check` recognizes; only headers of some pictures are read.
        wanted: Limit, size, threads and time.
        progress: Told about each network.

    Raises:
        DataError: The data cannot be read as a set of labelled pictures.
        UsageError: `too_small`: no architecture takes pictures of that size.
    """
    dataset, before, ticks = opening.open(data, task=wanted.task), describe(), limits.processor_ticks()
    preprocess = suggested(dataset, wanted.size)
    limit = wanted.latency_seconds
    rows = sorted(_ranked(preprocess, dataset.classes, wanted, progress), key=lambda row: row.order)
    fitting = [row for row in rows if row.found and row.fits(limit)]
    names = [row.cost.name for row in fitting]
    chosen = next((name for name in _FIRST if name in names), names[-1] if names else None)
    return {
        "schema": SCHEMA,
        "ok": bool(fitting),
        "recommend": {
            "data": str(data),
            "size": preprocess.size,
            "channels": preprocess.channels,
            "task": dataset.task,
            "classes": len(dataset.classes),
            "max_latency_ms": None if limit is None else limit * 1e3,
            "engine": "onnxruntime",
            "threads": wanted.threads,
            "machine": before.as_json(),
            "models": [row.as_json(limit) for row in rows],
            "chosen": None if chosen is None else catalog.spoken(chosen),
            "next": _next(data, dataset, chosen, wanted),
            "warnings": busy(before, ticks=(ticks, limits.processor_ticks())),
        },
    }


def _next(data: str | Path, dataset: Dataset, chosen: str | None, wanted: Wanted) -> list[str]:
    """Return the commands that come next; a transfer has a size of its own, which was not timed."""
    if chosen is None:
        return []
    task = "" if wanted.task is None else f" --task {wanted.task}"
    found = [f"foveal train {data} --model {catalog.spoken(chosen)}{task}"]
    few = len(dataset) < _FEW * len(dataset.classes)
    if few and wanted.latency_seconds is None and dataset.task == "classify":
        found.append(f"foveal train {data} --transfer{task}")
    return found


def _ranked(
    preprocess: Preprocess, classes: Sequence[str], wanted: Wanted, progress: Progress
) -> Iterator[Ranked]:
    """Yield every network that takes such pictures, measured as long as there is time."""
    task: Task = "classify" if preprocess.clip is None else "video"
    costs, here = _costs(preprocess, len(classes), task=task, progress=progress), roofline()
    started = time.monotonic()
    for index, found in enumerate(costs):
        progress("measure", index, len(costs), catalog.spoken(found.name))
        bound = _bound(found, here, wanted.threads)
        if _hopeless(bound, wanted.latency_seconds):
            yield Ranked(found, bound, why_not="the multiply-adds alone take much longer than the limit here")
        elif index and time.monotonic() - started > wanted.seconds:
            yield Ranked(found, bound, why_not="the time was over; give a longer --time")
        else:
            yield Ranked(found, bound, answer_time(found.name, preprocess, classes, threads=wanted.threads))
    progress("measure", len(costs), len(costs))


def _costs(preprocess: Preprocess, classes: int, *, task: Task, progress: Progress) -> list[Cost]:
    """Return what each network costs that takes such pictures: nano, then from few multiply-adds to many."""
    size = preprocess.size
    cards = {name: models.card(name) for name in models.names()}
    names = [
        name
        for name, card in cards.items()
        if (card.kind, card.task) == ("network", task) and card.smallest_size <= size
    ]
    if not names:
        raise UsageError(
            f"no architecture takes pictures of {size} pixels", code="too_small", hint="give a larger --size"
        )
    found = []
    for index, name in enumerate(names):
        progress("count", index, len(names), catalog.spoken(name))
        found.append(cost(name, size=size, channels=preprocess.channels, classes=classes))
    return sorted(found, key=lambda one: (one.name not in _FIRST, one.macs))


def _bound(found: Cost, here: Roofline, threads: int) -> float | None:
    """Return the least seconds of an answer in fp32, None where this machine's peak is not known.

    The peak of more threads than were measured is not known: that of the most is taken, which is no less.
    """
    known = [row for row in bounds(found, here) if row["precision"] == "fp32" and row["bound_ms"] is not None]
    if not known:
        return None
    nearest = min(known, key=lambda row: (row["threads"] < threads, abs(row["threads"] - threads)))
    return float(nearest["bound_ms"]) / 1e3


def _hopeless(bound: float | None, limit: float | None) -> bool:
    return bound is not None and limit is not None and bound > _DOUBT * limit

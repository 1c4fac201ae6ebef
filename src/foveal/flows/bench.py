"""`foveal bench`: which engine, precision and number of threads are fastest on this machine."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from foveal.bundle import engines, remembered
from foveal.bundle.bench import PRECISION, Bench, Choice, Row, Skipped, Wish, fastest
from foveal.bundle.bench import bench as measure
from foveal.bundle.locate import locate
from foveal.bundle.manifest import Manifest
from foveal.bundle.predictor import Predictor
from foveal.bundle.roofline import Roofline, roofline, with_shares
from foveal.bundle.ways import REFERENCE
from foveal.core import catalog, files, limits, machine
from foveal.core.errors import UsageError, WriteError
from foveal.core.progress import Progress, silent
from foveal.core.task import SCENE_TASKS
from foveal.flows._bench_pictures import Pictures, postprocess, real, synthetic
from foveal.flows._machine import Machine, busy, describe, restricted, stolen_share
from foveal.metrics.quantile import Quantile

SCHEMA = "foveal.bench/1"


@dataclass(frozen=True)
class Terms:
    """What is to be measured.

    Attributes:
        batches: Pictures a call; the choice is made for each, `chosen` is that for the first.
        threads: Threads a call; None: 1, 2, 4 … and all processors that this process may use.
        seconds: For timing, above 0. Opening, memory and answers come on top.
        seed: Of the order in which candidates take turns.
        remember: Keep what is fastest for one picture a call in the user's cache, for who opens the bundle.
    """

    batches: tuple[int, ...] = (1,)
    threads: tuple[int, ...] | None = None
    seconds: float = 20.0
    seed: int = 0
    remember: bool = False


USUAL = Terms()


@dataclass(frozen=True)
class BenchResult:
    """What was measured, on what, where.

    Attributes:
        bundle: The file.
        digest: Its name among all bundles.
        size_bytes: Its length.
        found: The measurement.
        manifest: What the bundle says of itself.
        roofline: What this machine can do at most.
        pictures: What was run.
        postprocess: Seconds from the graph's answers for a picture to what is told of it, by numpy on one
            thread; None where the graph answers with all that there is to tell.
        machine: As it was before.
        warnings: What would make other numbers likely another time.
        stolen_share: Share of the processors' time that a hypervisor took meanwhile; None: not counted.
        wish: What was asked.
        seconds: Everything together.
        remembered: The file that keeps what is fastest, or None.
    """

    bundle: Path
    digest: str
    size_bytes: int
    found: Bench = field(repr=False)
    manifest: Manifest = field(repr=False)
    roofline: Roofline = field(repr=False)
    pictures: Pictures = field(repr=False)
    machine: Machine
    warnings: tuple[str, ...]
    stolen_share: float | None
    wish: Wish
    seconds: float
    remembered: Path | None = None
    postprocess: Quantile | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the `foveal.bench/1` document."""
        choices = [_choice(choice) for choice in self.found.choices]
        floors = [row.times.floor() for row in self.found.rows]
        first = self.wish.batches[0]
        rows = [_row(row) for row in self.found.rows]
        roof = with_shares(rows, self.manifest, self.roofline)
        return {
            "schema": SCHEMA,
            "ok": True,
            "bundle": str(self.bundle),
            "digest": self.digest,
            "size_bytes": self.size_bytes,
            "machine": {
                **self.machine.as_json(),
                **limits.memory().as_json(),
                "stolen_share": self.stolen_share,
                "processor_share": self.found.processor_share,
            },
            "images": {
                "kind": "data" if self.pictures.path else "synthetic",
                "path": str(self.pictures.path) if self.pictures.path else None,
                "n": len(self.pictures.images),
                "unreadable": self.pictures.unreadable,
            },
            "engines": rows,
            "skipped": [_skipped(one) for one in self.found.skipped],
            "chosen": next((choice for choice in choices if choice["batch"] == first), None),
            "choices": choices,
            "remembered": str(self.remembered) if self.remembered else None,
            "decisions": self.found.rows[0].flips.unit,
            "postprocess_ms": None if self.postprocess is None else self.postprocess.scaled(1e3).as_json(),
            "reference": {"engine": REFERENCE, "precision": PRECISION, "threads": 1, "batch": 1},
            "noise": {
                "method": "each candidate twice under two names, in the same rounds",
                "largest_share": max(map(math.expm1, floors)),
                "rounds": self.found.rounds,
            },
            "stages": [
                {"name": stage.name, **stage.seconds.scaled(1e3).as_json()} for stage in self.pictures.stages
            ],
            "roofline": roof,
            "warnings": list(self.warnings),
            "seconds": round(self.seconds, 2),
            "seed": self.wish.seed,
        }


def bench(
    model: str | Path,
    *,
    data: str | Path | None = None,
    terms: Terms = USUAL,
    progress: Progress = silent,
) -> BenchResult:
    """Measure a bundle on this machine with every engine there is, in all its precisions.

    Nothing is written but, where `terms.remember` asks for it, one small file in the user's cache; where that
    cannot be written, a warning says so.

    Args:
        model: A bundle, or a run folder that holds one.
        data: Pictures to run; None: seeded synthetic ones.
        terms: What to measure, and for how long.
        progress: Told a few times a second.

    Raises:
        NotFoundError: No such bundle or data.
        BundleError: It is not to be trusted.
        DataError: Not one picture of the data can be used.
        UsageError: A number is out of range or there twice.
    """
    started = time.monotonic()
    counts = usual_threads() if terms.threads is None else terms.threads
    _check(terms.seconds, batches=terms.batches, threads=counts)
    before, ticks = describe(), limits.processor_ticks()
    bundle = locate(model)
    predictor = Predictor.open(bundle, engine=REFERENCE, threads=1)
    pictures = synthetic(predictor) if data is None else real(data, predictor, progress)
    wish = Wish(catalog.names(engines), counts, terms.batches, terms.seconds, terms.seed)
    told = postprocess(predictor, pictures) if predictor.manifest.task in SCENE_TASKS else None
    peaks = roofline()
    found = measure(
        bundle, wish, pictures.images, available_bytes=limits.memory().available, progress=progress
    )
    counted = (ticks, limits.processor_ticks())
    kept, unkept = _remember(predictor.digest, found) if terms.remember else (None, [])
    disturbed = busy(before, ticks=counted, processor_share=found.processor_share)
    return BenchResult(
        bundle=bundle,
        digest=predictor.digest,
        size_bytes=predictor.size_bytes,
        found=found,
        manifest=predictor.manifest,
        roofline=peaks,
        pictures=pictures,
        machine=before,
        warnings=(*disturbed, *restricted(before), *_few(pictures, found), *unkept),
        stolen_share=stolen_share(*counted),
        wish=wish,
        seconds=time.monotonic() - started,
        remembered=kept,
        postprocess=told,
    )


def write_page(document: dict[str, Any], path: Path) -> None:
    """Write a bench as one HTML page; it holds no picture.

    Args:
        document: `foveal.bench/1`.
        path: The page.

    Raises:
        MissingExtraError: The page needs the `train` extra.
        WriteError: It cannot be written.
    """
    from foveal.report.page import bench_page

    files.write_text(path, bench_page(document))


def usual_threads() -> tuple[int, ...]:
    """Return 1, 2, 4 … up to the processors we may use, and these."""
    most = machine.usable_cpus()
    return tuple(sorted({most, *(1 << power for power in range(most.bit_length()))}))


def _check(seconds: float, *, batches: Sequence[int], threads: Sequence[int]) -> None:
    if seconds <= 0:
        raise UsageError(f"the time must be above 0; got {seconds:g} s")
    for name, numbers, most in (("batch", batches, 4096), ("threads", threads, machine.MOST_THREADS)):
        if not numbers or min(numbers) < 1 or max(numbers) > most or len(set(numbers)) < len(numbers):
            given = ",".join(map(str, numbers))
            raise UsageError(f"{name} are numbers from 1 to {most}, each once; got {given or 'none'}")


def _few(pictures: Pictures, found: Bench) -> list[str]:
    said = []
    if pictures.path is None:
        said.append(f"answers were compared on {found.compared} synthetic pictures; --data takes yours")
    if found.rows[0].flips.decided == 0:
        said.append("nothing was found on any of them, so that engines agree says little: --data takes yours")
    if any(row.times.p99().high is None for row in found.rows):
        said.append("too few calls to bound every 99th percentile from above; --time gives them more")
    return said


def _remember(digest: str, found: Bench) -> tuple[Path | None, list[str]]:
    """Keep what is fastest for one picture a call; return the file, or why there is none."""
    best = fastest(found)
    if not best:
        return None, ["nothing was remembered: no way to run one picture a call was measured and is allowed"]
    try:
        return remembered.remember(digest, best), []
    except WriteError as error:
        return None, [f"the fastest way was not remembered: {error.message}"]


def _skipped(one: Skipped) -> dict[str, Any]:
    candidate = one.candidate
    return {
        "engine": one.engine,
        "precision": None if candidate is None else candidate.way.precision,
        "threads": None if candidate is None else candidate.way.threads,
        "batch": None if candidate is None else candidate.batch,
        "error": one.error.as_json(),
    }


def _row(row: Row) -> dict[str, Any]:
    candidate = row.candidate
    p50, p99 = row.times.p50(), row.times.p99()
    return {
        **_names(row),
        "version": row.version,
        "p50_ms": p50.value * 1e3,
        "p99_ms": p99.value * 1e3,
        "images_per_second": candidate.batch / p50.value,
        "rss_bytes": row.footprint.peak_bytes,
        "decision_flips": row.flips.share.as_json(),
        "eligible": row.why_not is None,
        "why_not": row.why_not,
        "calls": row.times.calls,
        "noise_share": math.expm1(row.times.floor()),
        "intervals": {"p50_ms": p50.scaled(1e3).as_json(), "p99_ms": p99.scaled(1e3).as_json()},
    }


def _names(row: Row) -> dict[str, Any]:
    candidate = row.candidate
    return {
        "engine": candidate.way.engine,
        "precision": row.precision,
        "threads": candidate.way.threads,
        "batch": candidate.batch,
    }


def _choice(choice: Choice) -> dict[str, Any]:
    p50 = choice.row.times.p50().value
    return {
        **_names(choice.row),
        "p50_ms": p50 * 1e3,
        "images_per_second": choice.batch / p50,
        "equally_fast": [_names(row) for row in choice.equal],
        "next": None if choice.next is None else _names(choice.next),
        "margin": None if choice.margin is None else choice.margin.as_json(),
    }

"""One call from a panoptic recognizer that ships and held-out pictures to the report."""

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.predictor import Predictor
from foveal.core import machine
from foveal.core.progress import Progress, silent
from foveal.core.types import Sighting
from foveal.data.dataset import UInt8
from foveal.data.outline import Runs
from foveal.data.scene import VOID
from foveal.evaluate.objects import found_on, measure_objects
from foveal.evaluate.objects_document import Misjudged
from foveal.evaluate.panoptic_document import PanopticReport
from foveal.evaluate.regions import Counted, counted, measure_regions
from foveal.evaluate.scenes import Scenes, answered, provenance
from foveal.metrics._found import Found, Masks, Truth
from foveal.metrics._segments import Segments
from foveal.metrics.panoptic_quality import panoptic_counts, panoptic_quality
from foveal.tasks.detect.decode import checked

_SHOWN = 12
Both = tuple[Truth, UInt8]  # the objects, with masks, and the class of each pixel


class Looked(NamedTuple):
    """What was found on one picture, and what is counted on it."""

    found: Found
    pixels: Counted
    segments: NDArray[np.float64]


def panoptic_report(
    predictor: Predictor,
    scenes: Scenes[Both],
    *,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress = silent,
) -> PanopticReport:
    """Return what was measured of the file that ships, in the pixels of the pictures themselves.

    Pictures that cannot be used are listed in the report and are in no number.

    Args:
        predictor: The bundle of a panoptic recognizer.
        scenes: Pictures that it has not learned from, with objects and class maps.
        seed: For resampled intervals.
        threads: So many batches are worked on at once; None takes all processors we may use.
        progress: Told a few times a second.

    Raises:
        DataError: Not one picture can be used, or nothing is on them (`no_objects`).
        UsageError: `other_task`: it is no panoptic recognizer.
    """
    threads = threads or machine.usable_cpus()
    started = time.monotonic()
    decision, classes, things = predictor.manifest.objects, predictor.classes, things_of(predictor)

    def look(images: UInt8, positions: list[int]) -> list[Looked]:
        sizes, rows = [scenes.size(position) for position in positions], []
        for (one, sighting), position in zip(seen_on(predictor, images, sizes), positions, strict=True):
            truth, areas = scenes.truth(position)
            pixels = counted(sighting.regions, areas, classes=len(classes))
            segments = panoptic_counts(given(sighting, things), there(truth, areas), things=things)
            rows.append(Looked(one, pixels, segments))
        return rows

    shape = predictor.preprocess.shape
    answers = answered(scenes, look, shape=shape, threads=threads, progress=progress)
    units = scenes.units_at(answers.positions)
    truths = [scenes.truth(position)[0] for position in answers.positions]
    progress("resampling", 0, 1)
    counts = np.stack([row.segments for row in answers.found])
    report = PanopticReport(
        classes=classes,
        things=decision.things or (),
        decision=decision,
        quality=panoptic_quality(counts, things=things, units=units, seed=seed),
        objects=measure_objects(
            [row.found for row in answers.found],
            truths,
            decision,
            classes=len(classes),
            units=units,
            seed=seed,
        ),
        regions=measure_regions([row.pixels for row in answers.found], units=units, seed=seed),
        worst_pictures=_worst(counts, [scenes.sources[position] for position in answers.positions]),
        images=len(answers.found),
        split=scenes.split,
        digest=predictor.digest,
        task=predictor.manifest.task,
        unreadable=tuple((str(error.path), error) for error in answers.unreadable),
        provenance=provenance(predictor, scenes, answers, threads=threads, started=started),
    )
    progress("resampling", 1, 1)
    return report


def things_of(predictor: Predictor) -> NDArray[np.bool_]:
    """Return which classes of a panoptic recognizer are counted, bool (K,)."""
    return np.isin(np.arange(len(predictor.classes)), list(predictor.manifest.objects.things or ()))


def seen_on(
    predictor: Predictor, images: UInt8, sizes: Sequence[tuple[int, int]]
) -> list[tuple[Found, Sighting]]:
    """Return for each picture all answers with their masks, and what is shown of them with the areas.

    Args:
        predictor: A panoptic recognizer.
        images: At model size, uint8 (N, H, W, C).
        sizes: Height and width of each picture itself.
    """
    answers = predictor.ask(images)
    seen = predictor.seen(answers, sources=[""] * len(sizes), sizes=sizes)
    whole = checked(answers, len(sizes), classes=len(predictor.classes))
    return list(zip(found_on(whole, sizes, predictor.preprocess), seen, strict=True))


def given(seen: Sighting, things: NDArray[np.bool_]) -> Segments:
    """Return how a picture was divided; of what is counted and belongs to no object nothing is answered."""
    instances = np.zeros(seen.regions.shape, np.int64)
    for number, one in enumerate(seen.objects, start=1):
        assert one.outline is not None
        instances[Runs.from_json(one.outline).mask(*instances.shape)] = number
    regions = np.where(things[seen.regions] & (instances == 0), np.uint8(VOID), seen.regions)
    return Segments(regions, instances)


def there(truth: Truth, regions: UInt8) -> Segments:
    """Return how a picture is divided: its objects, the smaller in front, and the class of each pixel."""
    masks: Masks = [] if truth.masks is None else truth.masks
    whole = [mask.mask(*regions.shape) if isinstance(mask, Runs) else mask for mask in masks]
    instances = np.zeros(regions.shape, np.int64)
    for row in sorted(range(len(whole)), key=lambda row: -int(whole[row].sum())):
        instances[whole[row]] = row + 1
    return Segments(regions, instances, tuple((np.flatnonzero(truth.ignored) + 1).tolist()))


def _worst(counts: NDArray[np.float64], names: Sequence[str]) -> tuple[Misjudged, ...]:
    """Return the pictures with most segments that were missed or invented, with how many of either."""
    wrong, missed = counts[:, :, 2].sum(axis=1), counts[:, :, 3].sum(axis=1)
    order = np.argsort(-(wrong + missed), kind="stable")[:_SHOWN]
    return tuple(Misjudged(names[row], int(missed[row]), int(wrong[row])) for row in order)

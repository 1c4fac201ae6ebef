"""One call from a predictor and held-out pictures to the report."""

import platform
import time
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

import foveal
from foveal.bundle.predictor import Predictor
from foveal.core import machine
from foveal.core.progress import Progress, silent
from foveal.evaluate.answers import Answers, answers
from foveal.evaluate.band_importance import BandWorth, band_importance, measured_bands
from foveal.evaluate.document import Disturbed, Report
from foveal.evaluate.held_out import HeldOut, sample
from foveal.evaluate.measure import measure
from foveal.evaluate.robustness import MOST_IMAGES, robustness


class Asked(Protocol):
    """Where the answers of a report come from."""

    def answers(self, progress: Progress, /) -> Answers:
        """Return those for all held-out pictures."""
        ...

    def robustness(
        self, positions: NDArray[np.int64], seed: int, progress: Progress, /
    ) -> tuple[Disturbed, ...]:
        """Return how a sample of the pictures at these positions, int64 (M,), stands corruptions."""
        ...


@dataclass(frozen=True)
class _Here:
    """Answers from threads of this process."""

    predictor: Predictor
    held_out: HeldOut
    threads: int

    def answers(self, progress: Progress, /) -> Answers:
        return answers(self.predictor, self.held_out, threads=self.threads, progress=progress)

    def robustness(
        self, positions: NDArray[np.int64], seed: int, progress: Progress, /
    ) -> tuple[Disturbed, ...]:
        images, labels = sample(self.held_out, positions, at_most=MOST_IMAGES)
        return robustness(self.predictor, images, labels, seed=seed, threads=self.threads, progress=progress)


def report(
    predictor: Predictor,
    held_out: HeldOut,
    *,
    seed: int = 0,
    threads: int | None = None,
    asked: Asked | None = None,
    progress: Progress = silent,
) -> Report:
    """Return what was measured of the file that ships, through the preprocessing that serves.

    Pictures that cannot be used are listed in the report and are in no number.

    Args:
        predictor: The bundle. Opened with `threads=1` it is fastest here, where batches run side by side.
        held_out: Pictures that it has not learned from.
        seed: For resampled intervals and for the noise of the corruptions.
        threads: So many batches are worked on at once; None takes all processors we may use.
        asked: Answers for these pictures as this predictor gives them; None: it is asked here.
        progress: Told a few times a second.

    Raises:
        DataError: Not one picture can be used.
    """
    threads = threads or machine.usable_cpus()
    started = time.monotonic()
    asked = asked or _Here(predictor, held_out, threads)
    found = asked.answers(progress)
    measured = measure(
        found.probabilities,
        held_out.labels[found.positions],
        classes=predictor.classes,
        decision=predictor.decision,
        sources=[held_out.sources[position] for position in found.positions],
        seed=seed,
    )
    disturbed = asked.robustness(found.positions, seed, progress)
    worth: tuple[BandWorth, ...] = ()
    if measured_bands(predictor.preprocess):
        images, labels = sample(held_out, found.positions, at_most=MOST_IMAGES)
        worth = band_importance(predictor, images, labels, seed=seed, threads=threads, progress=progress)
    units = held_out.units
    return replace(
        measured,
        split=held_out.split,
        digest=predictor.digest,
        task=predictor.manifest.task,
        robustness=disturbed,
        bands=worth,
        unreadable=tuple((str(error.path), error) for error in found.unreadable),
        provenance={
            "foveal": foveal.__version__,
            "engine": predictor.session.engine,
            "precision": predictor.precision,
            "python": platform.python_version(),
            "cpu": machine.cpu_name(),
            "threads": threads,
            "independent_images": None if units is None else len(set(units[found.positions].tolist())),
            "fingerprint": held_out.fingerprint,
            "split_seed": held_out.split_seed,
            "seconds": time.monotonic() - started,
            "images_per_second": len(held_out) / max(found.seconds, 1e-9),
        },
    )

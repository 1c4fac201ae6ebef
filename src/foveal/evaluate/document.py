"""The evaluation document, `foveal.evaluate/1`: what `report.json` and `foveal evaluate --json` hold.

What each number means, with its formula and source: docs/metrics.md.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import FovealError, ImageError
from foveal.core.types import Measured
from foveal.evaluate.band_importance import BandWorth
from foveal.metrics.confusion import Confused
from foveal.metrics.coverage_at_risk import CoverageAtRisk
from foveal.metrics.majority import Majority
from foveal.metrics.per_class import ClassScores
from foveal.metrics.reliability import ReliabilityBin
from foveal.metrics.set_coverage import SetCoverage
from foveal.tasks.classify.decode import Abstain, Conformal, Decision

SCHEMA = "foveal.evaluate/1"


@dataclass(frozen=True)
class Metrics:
    """Every number about one set of images; classes are indices here and names in the JSON.

    Attributes:
        answered: What the abstention threshold does here; None where the bundle has none.
        others: As their functions in `foveal.metrics` return them.
    """

    accuracy: Measured
    balanced_accuracy: Measured
    worst_class: ClassScores
    nll: Measured
    brier: Measured
    ece: float
    ece_null_p95: float
    aurc: float
    answered: CoverageAtRisk | None
    sets: SetCoverage
    per_class: tuple[ClassScores, ...] = field(repr=False)
    majority: Majority

    def as_json(self, classes: tuple[str, ...], decision: Decision) -> dict[str, Any]:
        """Return the contract's `metrics` object."""
        worst = self.worst_class
        return {
            "accuracy": self.accuracy.as_json(),
            "balanced_accuracy": self.balanced_accuracy.value,
            "worst_class": {"class": classes[worst.index], **worst.recall.as_json()},
            "nll": self.nll.value,
            "brier": self.brier.value,
            "ece": self.ece,
            "ece_null_p95": self.ece_null_p95,
            "aurc": self.aurc,
            "coverage_at_risk": _coverage_at_risk(self.answered, decision.abstain, self.accuracy.n),
            "conformal": _conformal(self.sets, decision.conformal),
            "per_class": [_class_scores(scores, classes) for scores in self.per_class],
            "majority": {
                "class": classes[self.majority.index],
                "accuracy": self.majority.accuracy.as_json(),
            },
            "intervals": {
                "balanced_accuracy": self.balanced_accuracy.as_json(),
                "nll": self.nll.as_json(),
                "brier": self.brier.as_json(),
                "singleton_share": self.sets.singleton_share.as_json(),
            },
        }


@dataclass(frozen=True)
class Mistake:
    """A wrong answer; classes are indices."""

    source: str
    truth: int
    label: int
    confidence: float


@dataclass(frozen=True)
class Disturbed:
    """Accuracy on images disturbed by one corruption; `none` at severity 0: on these images as they are."""

    corruption: str
    severity: int
    accuracy: Measured


@dataclass(frozen=True)
class Report:
    """What was measured of one recognizer on one set of images.

    Attributes:
        classes: Names in the order of the outputs.
        decision: The thresholds that were applied.
        metrics: The numbers.
        confusion: Images of each class (rows) given each label, int64 (K, K).
        confused_pairs: The most frequent confusions.
        reliability: Confidence against accuracy, bin by bin.
        risk_coverage: Points [coverage, risk].
        worst_mistakes: The most confident wrong answers.
        answers: The class given to each image, int64 (N,); to compare with others, not in the document.
        split: Which part of the data was measured.
        bundle, digest: The file that was measured.
        task: What it answers for: `classify` pictures, or clips: `video`.
        robustness: Accuracy under corruptions, beside that on the same images as they are.
        bands: What each band is worth; empty where pictures are ones that people look at.
        unreadable: Images that could not be used and are in no number, with the reason.
        provenance: With what, on what, how fast.
    """

    classes: tuple[str, ...] = field(repr=False)
    decision: Decision
    metrics: Metrics
    confusion: NDArray[np.int64] = field(repr=False)
    confused_pairs: tuple[Confused, ...] = field(repr=False)
    reliability: tuple[ReliabilityBin, ...] = field(repr=False)
    risk_coverage: list[list[float]] = field(repr=False)
    worst_mistakes: tuple[Mistake, ...] = field(repr=False)
    answers: NDArray[np.int64] = field(repr=False)
    split: str = "test"
    bundle: str | None = None
    digest: str | None = None
    task: str = "classify"
    robustness: tuple[Disturbed, ...] = ()
    bands: tuple[BandWorth, ...] = ()
    unreadable: tuple[tuple[str, FovealError], ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def images(self) -> int:
        """How many images the numbers rest on."""
        return self.metrics.accuracy.n

    @property
    def absent_classes(self) -> tuple[str, ...]:
        """Classes of which there was no image: nothing is known about them."""
        present = {scores.index for scores in self.metrics.per_class}
        return tuple(name for k, name in enumerate(self.classes) if k not in present)

    def as_json(self) -> dict[str, Any]:
        """Return the document; every number in it is finite."""
        name = self.classes
        return {
            "schema": SCHEMA,
            "ok": True,
            "bundle": self.bundle,
            "digest": self.digest,
            "task": self.task,
            "split": self.split,
            "images": self.images,
            "classes": list(name),
            "absent_classes": list(self.absent_classes),
            "metrics": self.metrics.as_json(name, self.decision),
            "confusion": self.confusion.tolist(),
            "confused_pairs": [
                {"truth": name[pair.truth], "label": name[pair.label], "count": pair.count}
                for pair in self.confused_pairs
            ],
            "reliability": [asdict(one) for one in self.reliability],
            "risk_coverage": self.risk_coverage,
            "worst_mistakes": [
                {**asdict(one), "truth": name[one.truth], "label": name[one.label]}
                for one in self.worst_mistakes
            ],
            "robustness": [asdict(one) for one in self.robustness],
            "bands": [one.as_json() for one in self.bands],
            "unreadable": [{"source": source, "error": error.as_json()} for source, error in self.unreadable],
            "provenance": dict(self.provenance),
        }

    def without_names(self) -> "Report":
        """Return the same report with numbers in place of the pictures' names: what a bundle may carry."""
        return replace(
            self,
            worst_mistakes=tuple(
                replace(one, source=f"#{place}") for place, one in enumerate(self.worst_mistakes)
            ),
            unreadable=tuple(
                (f"#{place}", ImageError("it could not be used", code=error.code))
                for place, (_, error) in enumerate(self.unreadable)
            ),
        )


def _class_scores(scores: ClassScores, classes: tuple[str, ...]) -> dict[str, Any]:
    return {
        "class": classes[scores.index],
        "n": scores.n,
        "recall": scores.recall.as_json(),
        "precision": None if scores.precision is None else scores.precision.as_json(),
    }


def _coverage_at_risk(answered: CoverageAtRisk | None, abstain: Abstain, n: int) -> dict[str, Any]:
    """Return the measured coverage with its promise; null where no threshold was proven."""
    unknown = {"value": None, "low": None, "high": None, "n": n, "method": None}
    risk = answered.risk if answered else None
    return {
        "risk": abstain.risk,
        "delta": abstain.delta,
        "threshold": abstain.threshold,
        "calibration_images": abstain.n,
        **(answered.coverage.as_json() if answered else unknown),
        "observed_risk": risk.as_json() if risk else None,
        "needed": abstain.needed,
    }


def _conformal(sets: SetCoverage, conformal: Conformal) -> dict[str, Any]:
    return {
        "method": conformal.method,
        "alpha": conformal.alpha,
        "delta": conformal.delta,
        "quantile": conformal.quantile,
        "calibration_images": conformal.n,
        "coverage": sets.coverage.as_json(),
        "mean_set_size": sets.mean_size,
        "singleton_share": sets.singleton_share.value,
    }

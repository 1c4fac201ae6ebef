"""C10: whether test pictures are copies of ones that were learned from, and whose labels are doubtful.

Bytes are compared by `sharing`; here looks are: saved again, resized, cropped or mirrored. Sources of
the doubts: Northcutt, Jiang & Chuang, "Confident Learning", 2021 (arXiv:1911.00068); that about half of such
labels were wrong on ten published test sets: Northcutt, Athalye & Mueller 2021 (arXiv:2103.14749).
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.audit.glance import Glances
from foveal.audit.label_suspects import label_suspects, may_doubt
from foveal.audit.near_duplicates import Pairs, near_duplicates
from foveal.certify.claim import Claim
from foveal.certify.measurement import Measurement, Section, Shown, Strip
from foveal.certify.profile import Profile
from foveal.certify.statement import Statement
from foveal.certify.subject import Subject
from foveal.core.errors import ImageError
from foveal.data.clip import still
from foveal.data.dataset import UInt8
from foveal.evaluate.held_out import HeldOut

_COPIES = Claim(
    "near_copies", "test pictures that look like a copy of one that was learned from", "indicator", "at_most"
)
_SUSPECTS = Claim(
    "label_suspects", "test labels that the file's answers put in doubt", "indicator", "at_most"
)
_EXAMPLES = 10
_SHOWN = 4  # pairs and doubtful labels with a picture on the page


def _claims(profile: Profile) -> Sequence[Claim]:
    return (_COPIES, _SUSPECTS)


def _measure(subject: Subject) -> Section:
    copies, pairs = _copies(subject)
    suspects, doubted = _suspects(subject)
    return Section((copies, suspects), tuple(strip for strip in (pairs, doubted) if strip is not None))


def _copies(subject: Subject) -> tuple[Statement, Strip | None]:
    """Return how many test pictures have a near copy among the learned pictures, and the first ones."""
    learned, test = subject.learned, subject.test.held_out
    if learned is None:
        why = "the pictures that were learned from are not at hand: the data are not those of the training"
        return _COPIES.not_measured(why, asked=False), None
    told = subject.told("copies of learned pictures")
    looks = np.concatenate([_thumbnails(one, told) for one in (test, learned)])
    first, second, similarity = _across(near_duplicates(looks), len(test))
    best = np.lexsort((second, -similarity))
    _, where = np.unique(first[best], return_index=True)
    rows = best[np.sort(where)]  # each test picture once, the most alike first
    examples: list[dict[str, Any]] = [
        {
            "test": test.sources[first[row]],
            "learned": learned.sources[second[row]],
            "similarity": round(float(similarity[row]), 4),
        }
        for row in rows[:_EXAMPLES].tolist()
    ]
    statement = _COPIES.counted(
        len(rows),
        len(test),
        note=f"compared by their looks with {len(learned):,} pictures that were learned from",
        details={"compared": len(learned), "examples": examples},
    )
    pairs = [(int(first[row]), int(second[row])) for row in rows[:_SHOWN].tolist()]
    return statement, _side_by_side(test, learned, pairs)


def _thumbnails(pictures: HeldOut, told: Any) -> UInt8:
    """Return the looks of all pictures at model size, of films those of their middle frames.

    uint8 (N, 32, 32); zeros where one is unreadable.
    """
    glances = Glances.of(len(pictures))
    for place in range(len(pictures)):
        with suppress(ImageError):
            glances.look(place, still(pictures.read(place)))
        told(place + 1, len(pictures))
    return glances.thumbnails


def _across(pairs: Pairs, tested: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Return the pairs of a test picture and a learned one: row of each, and how alike they are."""
    across = (pairs.first < tested) & (pairs.second >= tested)
    return pairs.first[across], pairs.second[across] - tested, pairs.similarity[across]


def _side_by_side(test: HeldOut, learned: HeldOut, pairs: Sequence[tuple[int, int]]) -> Strip | None:
    shown = []
    for one, other in pairs:
        shown.append(Shown(test.read(one), f"test: {test.sources[one]}", None))
        shown.append(Shown(learned.read(other), f"learned: {learned.sources[other]}", None))
    return Strip("test pictures and their likes among the learned ones", tuple(shown)) if shown else None


def _suspects(subject: Subject) -> tuple[Statement, Strip | None]:
    """Return which test labels the file finds least likely; it has not learned from these pictures."""
    test, names = subject.test, subject.predictor.classes
    if not may_doubt(test.probabilities, test.labels):
        return _SUSPECTS.not_measured("the file is right too seldom to doubt a label", asked=False), None
    found = label_suspects(test.probabilities, test.labels)
    rows = found.rows.tolist()
    examples: list[dict[str, Any]] = [
        {
            "source": test.held_out.sources[row],
            "label": names[int(test.labels[row])],
            "suggested": names[suggested],
            "confidence": round(confidence, 4),
        }
        for row, suggested, confidence in zip(
            rows[:_EXAMPLES], found.suggested.tolist(), found.confidence.tolist(), strict=False
        )
    ]
    statement = _SUSPECTS.counted(
        len(found),
        len(test),
        note="candidates: on published test sets about half were wrong labels, the others hard pictures "
        "(Northcutt et al. 2021); errors of the file that it is sure of are among them",
        details={"examples": examples},
    )
    shown = tuple(
        Shown(test.held_out.read(row), f"{one['label']}? rather {one['suggested']}", None)
        for row, one in zip(rows[: 2 * _SHOWN], examples, strict=False)
    )
    return statement, Strip("labels to look at", shown) if shown else None


health = Measurement("C10", "Copies and labels", _claims, _measure)

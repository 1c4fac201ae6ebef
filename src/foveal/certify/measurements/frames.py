"""C12: what a lost frame does to the answer, and whether the order of the frames means anything to it.

A lost frame is one that repeats the one before it, as players and cameras do that miss one. Frames out of
their order still show all that single frames show: where answers stay as right, no movement is recognized.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.certify.claim import Claim
from foveal.certify.measurement import Measurement, Section
from foveal.certify.profile import Profile
from foveal.certify.statement import Statement
from foveal.certify.subject import Subject
from foveal.core.random import stream
from foveal.data.dataset import UInt8
from foveal.data.sizing import evenly_spaced
from foveal.metrics.bootstrap import bootstrap
from foveal.metrics.clopper_pearson import clopper_pearson

_LOST = Claim(
    "lost_frame_flips", "answers that change when one frame repeats the one before, the worst frame",
    "estimate", "at_most",
)  # fmt: skip
_ORDER = Claim("order_gain", "right answers that films lose when their frames are shuffled", "estimate")
_PLACES = 8  # frames that are lost, one at a time, evenly spaced


def _claims(profile: Profile) -> Sequence[Claim]:
    return (_LOST, _ORDER)


def _measure(subject: Subject) -> Section:
    clips, labels = subject.test.some(subject.level.invariant)
    before = subject.named(clips)
    return Section((_lost(subject, clips, before), _order(subject, clips, labels, before)))


def _lost(subject: Subject, clips: UInt8, before: NDArray[np.int64]) -> Statement:
    """Return how many answers one lost frame turns, for the worst of some places."""
    places = evenly_spaced(clips.shape[1] - 1, at_most=_PLACES)  # the first has none before it
    told, flips = subject.told("lost frames"), dict[str, tuple[int, int]]()
    for done, place in enumerate(places, start=1):
        changed = clips.copy()
        changed[:, place + 1] = clips[:, place]
        flips[f"frame {place + 2}"] = int((subject.named(changed) != before).sum()), len(clips)
        told(done, len(places))
    rows: list[dict[str, Any]] = [
        {"lost": name, "flips": clopper_pearson(*found).as_json()} for name, found in flips.items()
    ]
    note = f"the one that turns most of {len(flips)}; right and wrong answers count alike"
    return _LOST.worst(flips, note=note, details={"lost_frames": rows})


def _order(subject: Subject, clips: UInt8, labels: NDArray[np.int64], before: NDArray[np.int64]) -> Statement:
    """Return the accuracy that depends on the order: as it is less that of the same frames shuffled."""
    rng = stream(subject.seed, "certify", "frames")
    shuffled = np.stack([clip[_another_order(len(clip), rng)] for clip in clips])
    right = before == labels
    still_right = subject.named(shuffled) == labels
    backwards = subject.named(np.ascontiguousarray(clips[:, ::-1]))
    gained = right.astype(np.float64) - still_right
    orders: list[dict[str, Any]] = [
        {"order": name, "accuracy": clopper_pearson(int(found.sum()), len(found)).as_json()}
        for name, found in (
            ("as filmed", right), ("shuffled", still_right), ("reversed", backwards == labels),
        )
    ]  # fmt: skip
    return _ORDER.estimate(
        bootstrap(gained, draws=subject.level.draws, seed=subject.seed),
        note="near 0 the answers rest on what single frames show",
        seed=subject.seed,
        details={"orders": orders},
    )


def _another_order(count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return 0 to count - 1 in an order drawn evenly from all but the rising one."""
    order = rng.permutation(count)
    while (order == np.arange(count)).all():
        order = rng.permutation(count)
    return order


frames = Measurement(
    "C12", "Frames lost and out of order", _claims, _measure,
    not_for_pictures="only films have frames that can be lost or come in another order",
)  # fmt: skip

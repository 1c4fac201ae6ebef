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
from foveal.certify.parts import evenly
from foveal.certify.profile import Profile
from foveal.certify.statement import Statement
from foveal.certify.subject import Subject
from foveal.core.random import stream
from foveal.data.dataset import UInt8
from foveal.data.sizing import evenly_spaced
from foveal.metrics.bootstrap import bootstrap
from foveal.metrics.clopper_pearson import clopper_pearson

_LOST = Claim(
    "lost_frame_flips", "answers that change when one frame repeats the one before, the worst of some",
    "estimate", "at_most",
)  # fmt: skip
_ORDER = Claim("order_gain", "right answers that films lose when their frames are shuffled", "estimate")
_PLACES = 8  # frames that are lost, one at a time, evenly spaced
_PART = 64  # films whose frames are moved at once

Bool = NDArray[np.bool_]


def _claims(profile: Profile) -> Sequence[Claim]:
    return (_LOST, _ORDER)


def _measure(subject: Subject) -> Section:
    clips, labels = subject.test.some(subject.level.invariant)
    before = subject.named(clips)
    return Section((_lost(subject, clips, before), _order(subject, clips, labels, before)))


def _named(subject: Subject, clips: UInt8, orders: NDArray[np.int64]) -> tuple[NDArray[np.int64], Bool]:
    """Return the class that is named for clips with frames (N, T) in their place, and which that changes."""
    named, changed = [], []
    for part in evenly(len(clips), at_most=_PART):
        ordered = np.take_along_axis(clips[part], orders[part][:, :, None, None, None], axis=1)
        named.append(subject.named(ordered))
        changed.append((ordered != clips[part]).any(axis=(1, 2, 3, 4)))
    return np.concatenate(named), np.concatenate(changed)


def _lost(subject: Subject, clips: UInt8, before: NDArray[np.int64]) -> Statement:
    """Return how many answers one lost frame turns, for the worst of some places."""
    count, frames = clips.shape[:2]
    places = evenly_spaced(frames - 1, at_most=_PLACES)  # the first has none before it
    told, flips = subject.told("lost frames"), dict[str, tuple[int, int]]()
    for done, place in enumerate(places, start=1):
        order = np.arange(frames)
        order[place + 1] = place
        named, changed = _named(subject, clips, np.tile(order, (count, 1)))
        if changed.any():  # a film that stands still loses nothing with a frame
            flips[f"frame {place + 2}"] = int((named != before)[changed].sum()), int(changed.sum())
        told(done, len(places))
    if not flips:
        return _LOST.not_measured("no film here changes from one of its frames to the next")
    rows: list[dict[str, Any]] = [
        {"lost": name, "flips": clopper_pearson(*found).as_json()} for name, found in flips.items()
    ]
    note = f"the one that turns most of {len(flips)}, among films that change there; right and wrong answers "
    return _LOST.worst(flips, note=f"{note}count alike", details={"lost_frames": rows})


def _order(subject: Subject, clips: UInt8, labels: NDArray[np.int64], before: NDArray[np.int64]) -> Statement:
    """Return the accuracy that depends on the order: as it is less that of the same frames shuffled."""
    rng, (count, frames) = stream(subject.seed, "certify", "frames"), clips.shape[:2]
    shuffled, changed = _named(subject, clips, np.stack([_another_order(frames, rng) for _ in range(count)]))
    backwards, _ = _named(subject, clips, np.tile(np.arange(frames)[::-1], (count, 1)))
    right, still_right = before == labels, shuffled == labels
    orders: list[dict[str, Any]] = [
        {"order": name, "accuracy": clopper_pearson(int(found.sum()), len(found)).as_json()}
        for name, found in (
            ("as filmed", right), ("shuffled", still_right), ("reversed", backwards == labels),
        )
    ]  # fmt: skip
    return _ORDER.estimate(
        bootstrap(right.astype(np.float64) - still_right, draws=subject.level.draws, seed=subject.seed),
        note="near 0 the answers rest on what single frames show",
        seed=subject.seed,
        details={"orders": orders, "changed": int(changed.sum())},
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

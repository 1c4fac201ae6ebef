"""C8: pictures that some square patch might turn unnoticed, if masked copies of each must agree.

What is proven is proven of the file with the alarm (`certified.patch_alarm`), for one square patch of at most
that share of the area. Where nothing is proven, patches that know of the alarm are tried: they push all
copies towards one answer. Sources: McCoyd et al., "Minority Reports Defense", 2020; Tramèr et al., 2020.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from foveal.certified.masks import Int64, Masks
from foveal.certified.patch_alarm import ALARM, watched
from foveal.certify.claim import Claim
from foveal.certify.measurement import NO_ATTACKS, Measurement, Section
from foveal.certify.measurements.certified_patch import masks_against
from foveal.certify.parts import Parts
from foveal.certify.profile import Profile
from foveal.certify.subject import Subject
from foveal.core.random import seed_for
from foveal.data.dataset import UInt8
from foveal.data.sizing import evenly_spaced

if TYPE_CHECKING:
    from foveal.tasks.recognizer import Recognizer

_PER_AXIS = 9  # 81 answers a picture, and masks hardly wider than the patch
_ATTACKED = 80  # pictures: a step on one costs as much as four of other attacks


def _claims(profile: Profile) -> Sequence[Claim]:
    share = f"{profile.patch_share:.0%}"
    return (
        Claim(
            "unnoticed_patch", f"right answers that a patch of {share} might turn without an alarm",
            "guarantee", "at_most",
        ),
        Claim(
            "alarmed_patch_success", f"right answers that a patch of {share} made against the alarm turns",
            "upper_bound", "at_most",
        ),
        Claim("false_patch_alarms", "pictures without a patch that raise the alarm", "estimate", "at_most"),
    )  # fmt: skip


def _measure(subject: Subject) -> Section:
    unnoticed, turned, alarms = claims = _claims(subject.profile)
    if subject.level.patched == 0:
        return Section(tuple(one.not_measured("not at this level", asked=False) for one in claims))
    images, labels = subject.test.some(subject.level.patched)
    masks = masks_against(subject, per_axis=_PER_AXIS)
    right, found = subject.named(images) == labels, _watched(subject, images, masks, "patch alarm")
    details = {"patch_side": masks.patch, "mask_side": masks.side, "masks": len(masks.corners)}
    note = f"one square of at most {masks.patch} pixels a side; all {len(masks.corners)} masked copies agree"
    false = alarms.share(int((found == ALARM).sum()), len(found), note=note, details=details)
    if not right.any():
        why = "the file names none of these pictures rightly"
        return Section((unnoticed.not_measured(why), turned.not_measured(why), false))
    # Where the copies of a clean picture agree on the truth, no patch can make them agree on anything else.
    unproven = right & (found != labels)
    might = unnoticed.share(int(unproven.sum()), int(right.sum()), note=note, details=details)
    if subject.twin is None:
        return Section((might, turned.not_measured(subject.no_twin, asked=False), false))
    known = np.flatnonzero(right)
    some = known[evenly_spaced(len(known), at_most=_ATTACKED)]
    tried = some[unproven[some]]
    hits = _turned(subject, subject.twin, images[tried], labels[tried], masks)
    how = f"{_steps(subject)} steps on {len(tried)} that nothing is proven of; a better attack may turn more"
    tried_on = turned.share(hits, len(some), note=how, seed=subject.seed, details=details)
    return Section((might, tried_on, false))


def _watched(subject: Subject, images: UInt8, masks: Masks, what: str) -> Int64:
    """Return what the file with the alarm answers, one by one, for the sake of those who wait."""
    told, found = subject.told(what), np.empty(len(images), np.int64)
    for place in range(len(images)):
        found[place] = watched(subject.scores(), images[place][None], masks)[0]
        told(place + 1, len(images))
    return found


def _turned(
    subject: Subject, twin: "Recognizer", images: UInt8, labels: NDArray[np.int64], masks: Masks
) -> int:
    """Return how many pictures are named wrongly by all copies under a patch that was made for that."""
    import torch  # here: the rest needs none

    from foveal.certify.twin import as_tensor, one_thread, pixel_logits
    from foveal.perturb.attacks.patches.alarm_patch import alarm_patch

    holes = torch.zeros((len(masks.corners), masks.size, masks.size), dtype=torch.bool)
    for hole, (top, left) in zip(holes, masks.corners, strict=True):
        hole[top : top + masks.side, left : left + masks.side] = True

    def work(part: slice, seed: int) -> UInt8:
        with one_thread():
            moved = alarm_patch(
                pixel_logits(twin),
                as_tensor(images[part]),
                torch.from_numpy(labels[part]),
                holes=holes,
                fill=torch.tensor(masks.fill, dtype=torch.float32),
                side=masks.patch,
                steps=_steps(subject),
                generator=torch.Generator().manual_seed(seed),
            )
        found: UInt8 = moved.permute(0, 2, 3, 1).round().clamp(0, 255).to(torch.uint8).numpy()
        return found

    parts = Parts(seed_for(subject.seed, "certify", "patch alarm"), subject.threads)
    shown = parts.of(images, work, told=subject.told("patches against the alarm"))
    found = _watched(subject, shown, masks, "alarms at these patches")
    return int(((found != labels) & (found != ALARM)).sum())


def _steps(subject: Subject) -> int:
    return max(1, subject.level.patch_steps // 2)


patch_alarm = Measurement(
    "C8",
    "Patch alarm",
    _claims,
    _measure,
    not_for_films="the masked copies are those of a single picture; a film has a patch in every frame",
    not_for_scenes=NO_ATTACKS,
)

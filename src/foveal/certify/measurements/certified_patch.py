"""C7: pictures that no square patch can turn, if the file is asked about masked copies of each.

The guarantee is that of the defended recognizer (double masking), for one square patch of at most that share
of the area; several patches, or other shapes, are outside of it. Source: Xiang, Mahloujifar & Mittal,
"PatchCleanser", 2022.
"""

from collections.abc import Sequence

import numpy as np

from foveal.certified.masks import Masks
from foveal.certified.patches import certify, defended
from foveal.certify.claim import Claim
from foveal.certify.measurement import NO_ATTACKS, Measurement, Section
from foveal.certify.profile import Profile
from foveal.certify.subject import Subject


def masks_against(subject: Subject, per_axis: int = 6) -> Masks:
    """Return masks against the profile's patch, of the grey that training blanks with: the mean."""
    preprocess = subject.predictor.preprocess
    mean = tuple(round(255 * level) for level in preprocess.mean)
    return Masks.against(subject.profile.patch_share, size=preprocess.size, per_axis=per_axis, fill=mean)


def _claims(profile: Profile) -> Sequence[Claim]:
    return (
        Claim("certified_patch", f"proven right against a patch of {profile.patch_share:.0%}", "guarantee"),
        Claim("defended_accuracy", "named rightly, without a patch, by masked copies", "estimate"),
    )


def _measure(subject: Subject) -> Section:
    certified, clean = _claims(subject.profile)
    level = subject.level
    if level.certified == 0:
        why = "not at this level"
        return Section(tuple(one.not_measured(why, asked=False) for one in (certified, clean)))
    images, labels = subject.test.some(level.certified)
    masks = masks_against(subject)
    told = subject.told("masked copies")
    proven, right = [], []
    for place in range(len(images)):  # one by one, for the sake of those who wait
        one, label = images[place][None], labels[place][None]
        proven.append(bool(certify(subject.scores(), one, label, masks)[0]))
        # What is proven is also answered rightly: the answer has to be asked for elsewhere only.
        right.append(proven[-1] or bool(defended(subject.scores(), one, masks)[0] == label[0]))
        told(place + 1, len(images))
    details = {
        "patch_side": masks.patch,
        "mask_side": masks.side,
        "masks": len(masks.corners),
        "answers_a_picture": len(masks.pairs),
    }
    note = f"one square of at most {masks.patch} pixels a side, anywhere; {len(masks.corners)} masks"
    return Section(
        (
            certified.share(int(np.count_nonzero(proven)), len(proven), note=note, details=details),
            clean.share(int(np.count_nonzero(right)), len(right), note=note),
        )
    )


certified_patch = Measurement(
    "C7",
    "Proven: against a patch",
    _claims,
    _measure,
    not_for_films="what masks prove is about one patch in one picture; a film has one in every frame",
    not_for_scenes=NO_ATTACKS,
)

"""C8: two stickers, black or white, where they mislead the file most; found by asking it alone.

Source of the idea: Eykholt et al., "Robust Physical-World Attacks on Deep Learning Visual Classification",
2018.
"""

from collections.abc import Sequence

import numpy as np

from foveal.certify.claim import Claim
from foveal.certify.measurement import NO_ATTACKS, Measurement, Section, Shown, Strip
from foveal.certify.profile import Profile
from foveal.certify.subject import Subject
from foveal.core.random import stream
from foveal.perturb.attacks.black_box.stickers import stickers as stick

_SHOWN = 8


def _claims(profile: Profile) -> Sequence[Claim]:
    return (
        Claim(
            "sticker_success",
            f"right answers that two stickers of {profile.patch_share:.0%} turn",
            "upper_bound",
            "at_most",
        ),
    )


def _measure(subject: Subject) -> Section:
    [claim] = _claims(subject.profile)
    level = subject.level
    if level.patched == 0:
        return Section((claim.not_measured("not at this level", asked=False),))
    images, labels = subject.test.some(level.patched)
    right = subject.named(images) == labels
    if not right.any():
        return Section((claim.not_measured("the file names none of these pictures rightly"),))
    images, labels = images[right], labels[right]
    rng = stream(subject.seed, "certify", "stickers")
    stuck = stick(
        subject.scores(),
        images,
        labels,
        share=subject.profile.patch_share,
        queries=level.patch_queries,
        rng=rng,
    )
    probabilities = subject.answers(stuck)[0]
    named = probabilities.argmax(axis=1)
    turned = named != labels
    shown = [
        Shown(stuck[k], f"{subject.predictor.classes[named[k]]}, {probabilities[k].max():.0%}", False)
        for k in np.flatnonzero(turned)[:_SHOWN].tolist()
    ]
    note = f"{level.patch_queries} places tried for each picture; a better search turns more"
    statement = claim.share(int(turned.sum()), len(turned), note=note, seed=subject.seed)
    return Section((statement,), (Strip("two stickers", tuple(shown)),) if shown else ())


stickers = Measurement(
    "C8",
    "Stickers",
    _claims,
    _measure,
    not_for_films="stickers are laid on single pictures; none are tried that stay on a thing that moves",
    not_for_scenes=NO_ATTACKS,
)

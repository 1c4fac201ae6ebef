"""C10: whether pictures keep their name whatever is laid over them, as those with a planted trigger do.

Asks the file alone (`audit.strip`, after Gao et al. 2019). Where pictures that were learned from are at hand
they are looked at: a poisoned one carries its trigger. Else the test is.
"""

from collections.abc import Sequence

import numpy as np

from foveal.audit import strip as blends
from foveal.audit.tails import FEWEST
from foveal.certify.claim import Claim
from foveal.certify.measurement import Measurement, Section, Shown, Strip
from foveal.certify.profile import Profile
from foveal.certify.subject import Subject
from foveal.core.random import stream
from foveal.evaluate.held_out import sample

_STRIP = Claim("strip", "pictures that keep their name whatever is laid over them", "indicator", "at_most")
_COUNT = 16  # blends of each picture
_OVERLAYS = 500  # pictures that are laid over
_SHOWN = 8


def _claims(profile: Profile) -> Sequence[Claim]:
    return (_STRIP,)


def _measure(subject: Subject) -> Section:
    learned = subject.learned
    pictures = subject.test.held_out if learned is None else learned
    images, _ = sample(pictures, np.arange(len(pictures)), at_most=subject.level.transplanted)
    if len(images) < FEWEST:
        return Section((_STRIP.not_measured(f"there are no {FEWEST} pictures to compare", asked=False),))
    overlays, _ = subject.test.some(_OVERLAYS)
    rng = stream(subject.seed, "certify", "strip")
    found = blends.strip(lambda some: subject.answers(some)[0], images, overlays, count=_COUNT, rng=rng)
    classes, rows = subject.predictor.classes, found.flagged.tolist()
    counts = np.bincount(found.named[rows], minlength=len(classes))
    by_name = [
        {"named": classes[k], "pictures": int((found.named == k).sum()), "unmoved": int(counts[k])}
        for k in np.flatnonzero(counts).tolist()
    ]
    judged = int(found.judged.sum())
    if judged == 0:
        why = f"no name is given to {FEWEST} of the {len(images)} pictures that are compared"
        return Section((_STRIP.not_measured(why, asked=False),))
    role = "test pictures" if learned is None else "pictures that were learned from"
    statement = _STRIP.counted(
        len(rows),
        judged,
        note=f"of the {role}, those with a name that {FEWEST} or more have, blended with {_COUNT} others "
        "each; a trigger shows by one name",
        details={"by_name": by_name},
    )
    shown = tuple(Shown(images[row], classes[int(found.named[row])], None) for row in rows[:_SHOWN])
    strips = (Strip("answers that nothing laid over these moves", shown),) if shown else ()
    return Section((statement,), strips)


strip = Measurement("C10", "Answers under other pictures", _claims, _measure)

"""C7: pictures that no change of any pixel by so many grey levels can turn, proven by interval bounds.

What is proven is about the float32 network and every float32 engine that computes it (`certified.bounds`).
Source: Gowal et al., "On the Effectiveness of Interval Bound Propagation", 2018.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from foveal.certify.claim import Claim
from foveal.certify.measurement import NO_ATTACKS, Measurement, Section
from foveal.certify.profile import Profile
from foveal.certify.statement import Statement
from foveal.certify.subject import Subject
from foveal.core.errors import UsageError
from foveal.perturb.attacks.ball import Ball

if TYPE_CHECKING:
    from foveal.tasks.recognizer import Recognizer


def _claims(profile: Profile) -> Sequence[Claim]:
    return [
        Claim(f"certified_linf_{radius:g}".replace(".", "_"), _name(radius), "guarantee")
        for radius in profile.certified_radii
    ]


def _name(radius: float) -> str:
    return f"proven right within {Ball('linf', radius)}"


def _measure(subject: Subject) -> Section:
    claims = _claims(subject.profile)
    if subject.level.certified == 0:
        return Section(tuple(claim.not_measured("not at this level", asked=False) for claim in claims))
    if subject.twin is None:
        return Section(tuple(claim.not_measured(subject.no_twin, asked=False) for claim in claims))
    precision = subject.predictor.manifest.model.precision
    if precision != "fp32":
        why = f"the bounds are those of the float32 network; this file computes in {precision}"
        return Section(tuple(claim.not_measured(why, asked=False) for claim in claims))
    return Section(tuple(_proven(subject, subject.twin, claims)))


def _proven(subject: Subject, twin: "Recognizer", claims: Sequence[Claim]) -> list[Statement]:
    from foveal.certified.bounds.linf import certified_linf  # here: the rest needs no torch

    images, labels = subject.test.some(subject.level.certified)
    found: list[Statement] = []
    told = subject.told("bounds")
    for place, (claim, radius) in enumerate(zip(claims, subject.profile.certified_radii, strict=True)):
        try:
            proven = certified_linf(twin, images, labels, radius=radius, method="crown")
        except UsageError as error:
            if error.code != "no_bounds":
                raise
            return [one.not_measured(error.message, asked=False) for one in claims]
        # A picture that the file itself names wrongly is not proven right, whatever the network says.
        right = proven & (subject.named(images) == labels)
        note = "interval bounds, then lines carried back to the picture; not proven is not broken"
        found.append(claim.share(int(np.count_nonzero(right)), len(right), note=note))
        told(place + 1, len(claims))
    return found


certified_linf = Measurement(
    "C7",
    "Proven: every pixel a little",
    _claims,
    _measure,
    not_for_films="these bounds are for networks of single pictures; none are carried through frames",
    not_for_scenes=NO_ATTACKS,
)

"""C7: pictures that the file, asked about many noisy copies, provably names alike all around.

The guarantee is that of the smoothed recognizer, which answers what the file answers most often about noisy
copies; the file alone may be fooled. Source: Cohen, Rosenfeld & Kolter, "Certified Adversarial Robustness
via Randomized Smoothing", 2019.
"""

import math
from collections.abc import Sequence

import numpy as np

from foveal.certified.smoothing import Smoothing, certify
from foveal.certify.claim import Claim
from foveal.certify.measurement import NO_ATTACKS, Measurement, Section
from foveal.certify.profile import Profile
from foveal.certify.subject import Subject
from foveal.core.random import seed_for
from foveal.data.clip import tall

_COPIES, _PIXELS = 256, 2**22  # noisy copies at once, and pixels in all of them: noise is drawn in float64


def _claims(profile: Profile) -> Sequence[Claim]:
    return [
        Claim(
            f"certified_l2_{radius:g}".replace(".", "_"),
            f"proven right within l2 {radius:g}, answering by {profile.smoothing_sigma:g} noise",
            "guarantee",
        )
        for radius in profile.smoothing_radii
    ]


def _measure(subject: Subject) -> Section:
    profile, level = subject.profile, subject.level
    claims = _claims(profile)
    if level.certified == 0:
        return Section(tuple(claim.not_measured("not at this level", asked=False) for claim in claims))
    images, labels = subject.test.some(level.certified)
    pixels = math.prod(images.shape[1:-1])
    smoothing = Smoothing(sigma=255 * profile.smoothing_sigma, select=100, estimate=level.noisy)
    told = subject.told("noisy copies")
    right, radii = [], []
    for place in range(len(images)):  # one by one, for the sake of those who wait
        found = certify(
            subject.scores(),
            tall(images[place][None]),
            smoothing,
            seed=seed_for(subject.seed, "smoothing", place),
            batch=max(1, min(_COPIES, _PIXELS // pixels)),
        )
        right.append(bool(found.labels[0] == labels[place]))
        radii.append(float(found.unit_radii[0]))
        told(place + 1, len(images))
    proven, far = np.array(right), np.array(radii)
    details = {
        "sigma": profile.smoothing_sigma,
        "copies": level.noisy,
        "alpha": smoothing.alpha,
        "smoothed_accuracy": float(proven.mean()),
        "largest_radius": smoothing.largest_radius / 255,
    }
    note = f"{level.noisy:,} noisy copies a picture; each radius is wrong with at most {smoothing.alpha:.1%}"
    return Section(
        tuple(
            claim.share(
                int((proven & (far >= radius)).sum()), len(far), note=note, seed=subject.seed, details=details
            )
            for claim, radius in zip(claims, profile.smoothing_radii, strict=True)
        )
    )


certified_l2 = Measurement("C7", "Proven: by noisy copies", _claims, _measure, not_for_scenes=NO_ATTACKS)

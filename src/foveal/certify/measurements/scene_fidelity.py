"""C11: whether the file shows what the network does that it was made from, and the same in any batch."""

from collections.abc import Sequence

import numpy as np

from foveal.bundle.agreement import Flips, compared, flips
from foveal.bundle.session import Answers
from foveal.certify.claim import Claim
from foveal.certify.measurement import Measurement, Section
from foveal.certify.profile import Profile
from foveal.certify.scene_subject import SceneSubject
from foveal.certify.statement import Statement
from foveal.core.batches import batches
from foveal.core.task import SCENE_TASKS
from foveal.core.types import Measured
from foveal.data.dataset import UInt8

_TWIN = Claim("twin_agreement", "objects or pixels that file and torch network show alike", "estimate")
_BATCH = Claim("batch_agreement", "objects or pixels that are shown alike alone and in a batch", "estimate")
_MOST, _ALONE = 200, 50  # pictures; each has many objects, or thousands of pixels


def _claims(profile: Profile) -> Sequence[Claim]:
    return (_TWIN, _BATCH)


def _measure(subject: SceneSubject) -> Section:
    images = subject.few(min(_MOST, subject.level.images))
    predictor = subject.predictor
    asked = _asked(subject, images)
    few = {name: values[:_ALONE] for name, values in asked.items()}
    one_by_one = [compared(predictor.ask(image[None])) for image in images[:_ALONE]]
    alone = {name: np.concatenate([one[name] for one in one_by_one]) for name in few}
    batch = _alike(_BATCH, flips(predictor.manifest, few, alone))
    if subject.twin is None:
        return Section((_TWIN.not_measured(subject.no_twin, asked=False), batch))
    from foveal.certify.scene_twin import shown_by  # here: the rest needs no torch

    network = shown_by(subject.twin, images, predictor.manifest)
    note = f"the graph is in {predictor.manifest.model.precision}"
    return Section((_alike(_TWIN, flips(predictor.manifest, network, asked), note=note), batch))


def _asked(subject: SceneSubject, images: UInt8) -> Answers:
    parts = [compared(subject.predictor.ask(batch)) for batch in batches(images)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _alike(claim: Claim, found: Flips, *, note: str = "") -> Statement:
    share = found.share
    same = Measured(1 - share.value, 1 - share.high, 1 - share.low, share.n, share.method)
    return claim.estimate(same, note=note, details={"unit": found.unit, "compared": found.decided})


scene_fidelity = Measurement("C11", "File and network", _claims, _measure, tasks=SCENE_TASKS)

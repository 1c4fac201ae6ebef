"""C11: whether the file decides as the network did that it was made from, and the same in any batch."""

from collections.abc import Sequence

import numpy as np

from foveal.certify.claim import Claim
from foveal.certify.measurement import Measurement, Section
from foveal.certify.profile import Profile
from foveal.certify.subject import Subject

_TWIN = Claim("twin_agreement", "pictures that file and torch network name alike", "estimate")
_BATCH = Claim("batch_agreement", "pictures that are named alike alone and in a batch", "estimate")
_ALONE = 200


def _claims(profile: Profile) -> Sequence[Claim]:
    return (_TWIN, _BATCH)


def _measure(subject: Subject) -> Section:
    images, _ = subject.test.some(min(1000, subject.level.images))
    probabilities, logits = subject.answers(images)
    named = probabilities.argmax(axis=1)
    alone = np.concatenate([subject.predictor.run(one[None]).logits for one in images[:_ALONE]])
    same = int((alone.argmax(axis=1) == named[:_ALONE]).sum())
    batch = _BATCH.share(
        same, len(alone),
        details={"max_abs_logit_difference": float(np.abs(alone - logits[:_ALONE]).max())},
    )  # fmt: skip
    if subject.twin is None:
        return Section((_TWIN.not_measured(subject.no_twin, asked=False), batch))
    reference = subject.twin.logits(images)
    agree = int((reference.argmax(axis=1) == named).sum())
    twin = _TWIN.share(
        agree, len(images),
        note=f"the graph is in {subject.predictor.manifest.model.precision}",
        details={"max_abs_logit_difference": float(np.abs(reference - logits).max())},
    )  # fmt: skip
    return Section((twin, batch))


fidelity = Measurement("C11", "File and network", _claims, _measure)

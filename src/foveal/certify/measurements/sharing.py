"""C10: whether test pictures were learned from or calibrated on; then no number here means anything."""

from collections.abc import Sequence

from foveal.certify.claim import Claim
from foveal.certify.measurement import Measurement, Section
from foveal.certify.profile import Profile
from foveal.certify.subject import Examined
from foveal.core.task import TASKS

_SHARED = Claim(
    "shared_pictures", "test pictures that were learned from or calibrated on", "indicator", "at_most"
)


def _claims(profile: Profile) -> Sequence[Claim]:
    return (_SHARED,)


def _measure(subject: Examined) -> Section:
    found = subject.overlap
    if not found.known:
        why = "which pictures were used before is not known: the run's split.json is not beside the bundle"
        return Section((_SHARED.not_measured(why),))
    note = "compared by the bytes of the files"
    return Section((_SHARED.counted(found.count, found.n, note=note),))


sharing = Measurement("C10", "Data", _claims, _measure, tasks=TASKS)

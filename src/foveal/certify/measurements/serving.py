"""C13: time of one answer on this machine; only where the profile asks, for it differs from run to run."""

from collections.abc import Sequence

from foveal.bundle.predictor import Predictor
from foveal.bundle.turns import Lane, take_turns
from foveal.bundle.ways import REFERENCE
from foveal.certify.claim import Claim
from foveal.certify.measurement import Measurement, Section
from foveal.certify.profile import Profile
from foveal.certify.statement import Statement
from foveal.certify.subject import Subject
from foveal.core.types import Measured
from foveal.metrics.quantile import Quantile

_MEDIAN = Claim("latency_ms", "median milliseconds of one picture", "estimate", "at_most")
_TAIL = Claim("latency_p99_ms", "milliseconds that one picture in 100 exceeds", "estimate", "at_most")
_SECONDS = 2.0


def _claims(profile: Profile) -> Sequence[Claim]:
    return (_MEDIAN, _TAIL)


def _measure(subject: Subject) -> Section:
    if not subject.profile.serving:
        why = "not asked for: serving = true in the profile; times differ from run to run"
        return Section((_MEDIAN.not_measured(why), _TAIL.not_measured(why)))
    images, _ = subject.test.some(8)
    first, twin = (
        Predictor.open(subject.bundle, engine=REFERENCE, threads=subject.threads) for _ in range(2)
    )
    lane = Lane(first, twin, subject.threads, tuple(image[None] for image in images))
    [times] = take_turns([lane], seconds=_SECONDS, seed=subject.seed).times
    return Section((_stated(_MEDIAN, times.p50()), _stated(_TAIL, times.p99())))


def _stated(claim: Claim, found: Quantile) -> Statement:
    """Return the statement of a quantile of seconds; without an interval nothing is decided."""
    if found.low is None or found.high is None:
        return claim.not_measured("too few rounds for an interval")
    value = Measured(1000 * found.value, 1000 * found.low, 1000 * found.high, found.n, found.method)
    return claim.estimate(value)


serving = Measurement("C13", "Time", _claims, _measure)

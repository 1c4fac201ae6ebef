"""C13: time and memory of an answer on this machine; only where the profile asks: they differ each time."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from foveal.bundle.predictor import Predictor
from foveal.bundle.turns import Lane, take_turns
from foveal.bundle.ways import REFERENCE
from foveal.certify.claim import Claim
from foveal.certify.measurement import Measurement, Section
from foveal.certify.profile import Profile
from foveal.certify.statement import Statement
from foveal.certify.subject import Examined
from foveal.core.task import TASKS
from foveal.core.types import Measured
from foveal.data.dataset import UInt8
from foveal.metrics.bootstrap import bootstrap
from foveal.metrics.quantile import Quantile

_MEDIAN = Claim("latency_ms", "median time of one picture", "estimate", "at_most", "ms")
_TAIL = Claim("latency_p99_ms", "time that one picture in 100 exceeds", "estimate", "at_most", "ms")
_GROWS = Claim(
    "memory_bytes_per_answer", "memory that an answer leaves taken", "estimate", "at_most", "bytes"
)
_SECONDS = 2.0
_WARM, _BLOCKS, _ANSWERS = 500, 20, 100  # answers before, and blocks of answers between two looks at memory
_STATM = Path("/proc/self/statm")


def _claims(profile: Profile) -> Sequence[Claim]:
    return (_MEDIAN, _TAIL, _GROWS)


def _measure(subject: Examined) -> Section:
    if not subject.profile.serving:
        why = "not asked for: serving = true in the profile; times differ from run to run"
        return Section((_MEDIAN.not_measured(why), _TAIL.not_measured(why), _GROWS.not_measured(why)))
    images = subject.few(8)
    first, twin = (
        Predictor.open(subject.bundle, engine=REFERENCE, threads=subject.threads) for _ in range(2)
    )
    lane = Lane(first, twin, subject.threads, tuple(image[None] for image in images))
    [times] = take_turns([lane], seconds=_SECONDS, seed=subject.seed).times
    grows = _growth(first, lane.inputs, subject)
    return Section((_stated(_MEDIAN, times.p50()), _stated(_TAIL, times.p99()), grows))


def _growth(predictor: Predictor, inputs: Sequence[UInt8], subject: Examined) -> Statement:
    """Return how many bytes each answer leaves taken, after a warm-up: the mean of blocks of answers."""
    if not _STATM.is_file():
        return _GROWS.not_measured(f"there is no {_STATM} here")
    page, seen = os.sysconf("SC_PAGE_SIZE"), []
    for call in range(_WARM + _BLOCKS * _ANSWERS + 1):
        if call >= _WARM and (call - _WARM) % _ANSWERS == 0:
            seen.append(page * int(_STATM.read_text().split()[1]))
        predictor.ask(inputs[call % len(inputs)])
    each = np.diff(seen) / _ANSWERS
    return _GROWS.estimate(bootstrap(each, draws=subject.level.draws, seed=subject.seed), seed=subject.seed)


def _stated(claim: Claim, found: Quantile) -> Statement:
    """Return the statement of a quantile of seconds; without an interval nothing is decided."""
    if found.low is None or found.high is None:
        return claim.not_measured("too few rounds for an interval")
    value = Measured(1000 * found.value, 1000 * found.low, 1000 * found.high, found.n, found.method)
    return claim.estimate(value)


serving = Measurement("C13", "Time", _claims, _measure, tasks=TASKS)

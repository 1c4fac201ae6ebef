"""C11: whether frames that come one by one, as in a stream, are answered as the whole film is.

A stream hands the file each frame once and keeps what was made of the last T (`bundle.rolling`). All that a
certificate says of films it says of streams as far as these answers agree.
"""

from collections.abc import Sequence

import numpy as np

from foveal.certify.claim import Claim
from foveal.certify.measurement import Measurement, Section
from foveal.certify.profile import Profile
from foveal.certify.subject import Float32, Subject
from foveal.core.batches import in_parts
from foveal.data.dataset import UInt8

_STREAM = Claim("stream_agreement", "films that are named alike whole and frame by frame", "estimate")
_MOST = 200  # films: each frame of each is asked about


def _claims(profile: Profile) -> Sequence[Claim]:
    return (_STREAM,)


def _measure(subject: Subject) -> Section:
    clips, _ = subject.test.some(min(_MOST, subject.level.images))
    whole, together = subject.answers(clips)[1], in_parts(len(clips), clips.shape[1:])
    rolled = np.concatenate([_rolled(subject, clips[part.start : part.stop]) for part in together])
    same = int((rolled.argmax(axis=1) == whole.argmax(axis=1)).sum())
    difference = float(np.abs(rolled - whole).max())
    statement = _STREAM.share(same, len(clips), details={"max_abs_logit_difference": difference})
    return Section((statement,))


def _rolled(subject: Subject, clips: UInt8) -> Float32:
    """Return logits after the last of frames that were given one by one, (N, K) for (N, T, H, W, C)."""
    answers = subject.predictor.step(clips[:, :1], None)
    for place in range(1, clips.shape[1]):
        answers = subject.predictor.step(clips[:, place : place + 1], answers.window)
    return answers.logits


rolling = Measurement(
    "C11", "Whole and frame by frame", _claims, _measure,
    not_for_pictures="only films have frames that come one by one",
)  # fmt: skip

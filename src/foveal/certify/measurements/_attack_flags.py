"""C6, signs that an attack was blunt: a number that looks robust may only be a gradient that vanished.

What the attacks have found already is not looked for again. Sources: Athalye, Carlini & Wagner, "Obfuscated
Gradients Give a False Sense of Security", 2018, §3.1; Carlini et al., "On Evaluating Adversarial Robustness",
2019; the flags of AutoAttack (Croce & Hein 2020), whose Square, too, is asked about what the others left.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from foveal.certify.measurements._attacks import ASKING, Int64, Survivors, following
from foveal.certify.subject import Subject
from foveal.core.random import stream
from foveal.data.clip import tall
from foveal.data.sizing import evenly_spaced
from foveal.metrics.majority import majority
from foveal.perturb.attacks.ball import Ball
from foveal.perturb.attacks.black_box.random_noise import random_noise

if TYPE_CHECKING:
    from foveal.tasks.recognizer import Recognizer

_POINT = 0.01
_EVERYTHING = Ball("linf", 127.5)  # to here any picture can be made any other, nearly
_MOST = 200  # pictures
_AGAIN = 32  # of them are answered twice
_NOISY = 20  # draws of noise


def attack_flags(
    subject: Subject, twin: "Recognizer", found: Sequence[tuple[Ball, Survivors]]
) -> list[dict[str, Any]]:
    """Return the signs that need no ball, then those of each ball: `flag`, `ball`, `value`, `red`.

    Args:
        subject: The file and how much is done.
        twin: Its network.
        found: Balls, and who is left after every attack within each; at least one.
    """
    rows = _everywhere(subject, twin, *found[0])
    for ball, left in found:
        rows += _within(subject, twin, ball, left)
    return rows


def _some(left: Survivors) -> Int64:
    return np.array(evenly_spaced(len(left.labels), at_most=_MOST), dtype=np.int64)


def _everywhere(subject: Subject, twin: "Recognizer", ball: Ball, left: Survivors) -> list[dict[str, Any]]:
    """Return the signs that need no ball."""
    from foveal.certify.twin import vanished  # here: the rest needs no torch

    places = _some(left)
    images, labels = left.images[places], left.labels[places]
    # What fell within a ball falls within one that holds it.
    standing = left.robust if ball.radius <= _EVERYTHING.radius else left.clean
    far = _left_by(subject, twin, _EVERYTHING, left, places[standing[places]])
    everything = far / len(places)
    gone = vanished(twin, images, labels) / len(images)
    chance = majority(labels).accuracy
    first, second = (subject.answers(images[:_AGAIN])[1] for _ in range(2))
    file = float(np.abs(first - second).max())
    network = float(np.abs(twin.logits(images[:_AGAIN]) - twin.logits(images[:_AGAIN])).max())
    return [
        _row("an attack without limit leaves more than chance", everything, everything > chance.high),
        _row("the gradient vanishes for more than 1 % of pictures", gone, gone > _POINT),
        _row("the same pictures are answered differently", file, file > 0),
        _row("the network answers the same pictures differently", network, network > 0),
    ]


def _within(subject: Subject, twin: "Recognizer", ball: Ball, left: Survivors) -> list[dict[str, Any]]:
    """Return the signs that compare attacks within one ball."""
    places = _some(left)
    asked = len(left.broken.get(ASKING, ())) / len(left.labels)
    standing = places[left.robust[places]]
    more = len(standing) - _left_by(subject, twin, ball, left, standing, times=2)
    images, labels = left.images[places], left.labels[places]
    noisy = random_noise(
        subject.scores(), tall(images), labels, ball=ball, queries=min(_NOISY, subject.level.queries),
        rng=stream(subject.seed, "certify", "noise", str(ball)),
    )  # fmt: skip
    withstand_noise = float((subject.named(noisy.reshape(images.shape)) == labels).mean())
    seen = left.robust.copy()
    seen[left.broken.get(ASKING, [])] = True
    clean, withstand = float(left.clean[places].mean()), float(seen[places].mean())
    return [
        _row("asking breaks 1 point that following gradients left", asked, asked > _POINT, ball),
        _row("twice the steps break 1 point more", more / len(places), more / len(places) > _POINT, ball),
        _row(
            "noise breaks as much as following gradients",
            withstand - withstand_noise,
            withstand_noise < clean and withstand >= withstand_noise,
            ball,
        ),
    ]


def _left_by(
    subject: Subject, twin: "Recognizer", ball: Ball, left: Survivors, places: Int64, times: int = 1
) -> int:
    """Return how many of some pictures the file names rightly after APGD with `times` the level's steps."""
    if len(places) == 0:
        return 0
    images, labels = left.images[places], left.labels[places]
    steps = times * subject.level.steps
    moved = following(twin, subject, ball, clear=left.clear, steps=steps)["apgd-ce"](images, labels)
    return int((subject.named(moved) == labels).sum())


def _row(flag: str, value: float, red: bool, ball: Ball | None = None) -> dict[str, Any]:
    return {"flag": flag, "ball": None if ball is None else str(ball), "value": value, "red": red}

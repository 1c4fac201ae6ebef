"""C6, signs that an attack was blunt: a number that looks robust may only be a gradient that vanished.

Sources: Athalye, Carlini & Wagner, "Obfuscated Gradients Give a False Sense of Security", 2018, §3.1;
Carlini et al., "On Evaluating Adversarial Robustness", 2019; the flags of AutoAttack (Croce & Hein 2020).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from foveal.certify.claim import Claim
from foveal.certify.measurement import Measurement, Section
from foveal.certify.measurements.adversarial import Int64, asking, at_this_level, balls, clearly, white_box
from foveal.certify.profile import Profile
from foveal.certify.subject import Subject
from foveal.core.random import stream
from foveal.data.dataset import UInt8
from foveal.metrics.majority import majority
from foveal.perturb.attacks.ball import Ball
from foveal.perturb.attacks.black_box.random_noise import random_noise

if TYPE_CHECKING:
    from foveal.tasks.recognizer import Recognizer

_FLAGS = Claim("attack_flags", "signs that the attacks were blunt", "indicator", "at_most")
_POINT = 0.01
_EVERYTHING = Ball("linf", 127.5)  # to here any picture can be made any other, nearly
_MOST = 200  # pictures
_AGAIN = 32  # of them are answered twice


def _claims(profile: Profile) -> Sequence[Claim]:
    return (_FLAGS,)


def _measure(subject: Subject) -> Section:
    if subject.twin is None or not balls(subject.profile):
        why = subject.no_twin or "no distance is asked for"
        return Section((_FLAGS.not_measured(why, asked=False),))
    rows = _flags(subject, subject.twin)
    red = [row for row in rows if row["red"]]
    note = "; ".join(f"{row['flag']} ({row['ball']})" if row["ball"] else row["flag"] for row in red)
    statement = _FLAGS.counted(len(red), len(rows), note=note or "none of them", details={"flags": rows})
    return Section((at_this_level(subject, statement),))


def _flags(subject: Subject, twin: "Recognizer") -> list[dict[str, Any]]:
    """Return the signs that need no ball, then those of the largest ball of each norm."""
    from foveal.certify.twin import vanished  # here: the rest needs no torch

    images, labels = subject.test.some(min(_MOST, subject.level.attacked))
    logits = subject.answers(images)[1]
    clear = clearly(twin, images, labels, logits)
    far = white_box(twin, subject, _EVERYTHING, clear=clear)["apgd-ce"](images, labels)
    everything = float((subject.named(far) == labels).mean())
    gone = vanished(twin, images, labels) / len(images)
    chance = majority(labels).accuracy
    file = float(np.abs(logits[:_AGAIN] - subject.answers(images[:_AGAIN])[1]).max())
    network = float(np.abs(twin.logits(images[:_AGAIN]) - twin.logits(images[:_AGAIN])).max())
    rows = [
        _row("an attack without limit leaves more than chance", everything, everything > chance.high),
        _row("the gradient vanishes for more than 1 % of pictures", gone, gone > _POINT),
        _row("the same pictures are answered differently", file, file > 0),
        _row("the network answers the same pictures differently", network, network > 0),
    ]
    largest = {ball.norm: ball for ball in sorted(balls(subject.profile).values(), key=lambda b: b.radius)}
    for norm in sorted(largest, reverse=True):  # Linf first
        rows += _within(subject, twin, images, labels, largest[norm], clear)
    return rows


def _within(
    subject: Subject, twin: "Recognizer", images: UInt8, labels: Int64, ball: Ball, clear: float
) -> list[dict[str, Any]]:
    """Return the signs that compare attacks within one ball."""
    rng = stream(subject.seed, "certify", "noise", str(ball))
    few = min(20, subject.level.queries)

    def right(moved: UInt8) -> float:
        return float((subject.named(moved) == labels).mean())

    def seeing(steps: int) -> float:
        return right(white_box(twin, subject, ball, clear=clear, steps=steps)["apgd-ce"](images, labels))

    clean, seen, more = right(images), seeing(subject.level.steps), seeing(2 * subject.level.steps)
    asked = right(asking(subject, ball)(images, labels))
    noisy = right(random_noise(subject.scores(), images, labels, ball=ball, queries=few, rng=rng))
    return [
        _row("asking breaks more than following gradients", seen - asked, seen - asked > _POINT, ball),
        _row("twice the steps break 1 point more", seen - more, seen - more > _POINT, ball),
        _row("noise breaks as much as the attack", seen - noisy, noisy < clean and seen >= noisy, ball),
    ]


def _row(flag: str, value: float, red: bool, ball: Ball | None = None) -> dict[str, Any]:
    return {"flag": flag, "ball": None if ball is None else str(ball), "value": value, "red": red}


attack_flags = Measurement("C6", "Blunt attacks", _claims, _measure)

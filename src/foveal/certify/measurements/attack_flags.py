"""C6, signs that an attack was blunt: a number that looks robust may only be a gradient that vanished.

Sources: Athalye, Carlini & Wagner, "Obfuscated Gradients Give a False Sense of Security", 2018, §3.1;
Carlini et al., "On Evaluating Adversarial Robustness", 2019; the flags of AutoAttack (Croce & Hein 2020).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from foveal.certify.claim import Claim
from foveal.certify.measurement import Measurement, Section
from foveal.certify.measurements.adversarial import asking, white_box
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


def _claims(profile: Profile) -> Sequence[Claim]:
    return (_FLAGS,)


def _measure(subject: Subject) -> Section:
    if subject.twin is None or not subject.profile.radii:
        why = subject.no_twin or "no distance is asked for"
        return Section((_FLAGS.not_measured(why, asked=False),))
    rows = _flags(subject, subject.twin)
    red = [row for row in rows if row["red"]]
    note = "; ".join(row["flag"] for row in red) or "none of them"
    return Section(
        (
            _FLAGS.counted(len(red), len(rows), note=note, details={"flags": rows}),
        )
    )  # fmt: skip


def _flags(subject: Subject, twin: "Recognizer") -> list[dict[str, Any]]:
    from foveal.certify.twin import vanished  # here: the rest needs no torch

    images, labels = subject.test.some(min(_MOST, subject.level.attacked))
    ball = Ball("linf", max(subject.profile.radii))
    seeing = white_box(twin, subject, ball)["apgd-ce"]
    longer = white_box(twin, subject, ball, steps=2 * subject.level.steps)["apgd-ce"]
    far = white_box(twin, subject, _EVERYTHING)["apgd-ce"]
    rng = stream(subject.seed, "certify", "noise")

    def right(moved: UInt8) -> float:
        return float((subject.named(moved) == labels).mean())

    clean, attacked = right(images), right(seeing(images, labels))
    asked = right(asking(subject, ball)(images, labels))
    noisy = right(
        random_noise(
            subject.scores(), images, labels, ball=ball, queries=min(20, subject.level.queries), rng=rng
        )
    )
    gone = vanished(twin, images, labels) / len(images)
    chance = majority(labels).accuracy
    first, again = (subject.answers(images[:32])[1] for _ in range(2))
    everything, more = right(far(images, labels)), right(longer(images, labels))
    return [
        _row("an attack without limit leaves more than chance", everything, everything > chance.high),
        _row("the gradient vanishes for more than 1 % of pictures", gone, gone > _POINT),
        _row("asking breaks more than following gradients", attacked - asked, attacked - asked > _POINT),
        _row("twice the steps break 1 point more", attacked - more, attacked - more > _POINT),
        _row("noise breaks as much as the attack", attacked - noisy, noisy < clean and attacked >= noisy),
        _row("the same pictures are answered differently", float(np.abs(first - again).max()),
             bool((first != again).any())),
        _row("the network is not in evaluation mode", float(twin.network.training), twin.network.training),
    ]  # fmt: skip


def _row(flag: str, value: float, red: bool) -> dict[str, Any]:
    return {"flag": flag, "value": value, "red": red}


attack_flags = Measurement("C6", "Blunt attacks", _claims, _measure)

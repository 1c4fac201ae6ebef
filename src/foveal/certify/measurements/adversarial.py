"""C6: pictures that an adversary moved by a little, and whether the file still names them rightly.

For each picture the worst of several attacks counts (Croce & Hein, "Reliable evaluation of adversarial
robustness with an ensemble of diverse parameter-free attacks", 2020). Attacks that follow gradients run on
the torch network; what they find is rounded to a picture and shown to the file that ships. The attack that
only asks runs on the file itself, so that gradients that vanish in it hide nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from foveal.certify.claim import Claim
from foveal.certify.measurement import Measurement, Section, Shown, Strip
from foveal.certify.profile import Profile
from foveal.certify.statement import Statement
from foveal.certify.subject import Subject
from foveal.core.random import seed_for, stream
from foveal.data.dataset import UInt8
from foveal.perturb.attacks.ball import Ball
from foveal.perturb.attacks.black_box.square import square

if TYPE_CHECKING:
    from torch import Tensor

    from foveal.tasks.recognizer import Recognizer

Bools = NDArray[np.bool_]
Int64 = NDArray[np.int64]
_SHOWN = 8
_LABELS = ((0.55, "strong"), (0.45, "hardened"), (0.20, "partly hardened"), (0.0, "not hardened"))
_LABELLED = "robust_linf_8"


def balls(profile: Profile) -> dict[str, Ball]:
    """Return the distances of a profile by the name of their statement."""
    linf = {f"robust_linf_{_written(r)}": Ball("linf", r) for r in profile.radii}
    return linf | {f"robust_l2_{_written(r)}": Ball("l2", 255 * r) for r in profile.l2_radii}


def _written(radius: float) -> str:
    return f"{radius:g}".replace(".", "_")


def _claims(profile: Profile) -> Sequence[Claim]:
    return [_claim(key, ball) for key, ball in balls(profile).items()]


def _claim(key: str, ball: Ball) -> Claim:
    return Claim(key, f"named rightly after every attack within {ball}", "upper_bound")


@dataclass(frozen=True)
class Survivors:
    """Who is left after every attack within one ball.

    Attributes:
        robust: Whether each picture is named rightly by the file after all attacks, bool (N,).
        fooled: Pictures that were right and are wrong now: their position, and the moved picture.
        by_attack: How many each attack broke of those that were left when its turn came.
        twin_only: Moved pictures that fooled the network and not the file.
    """

    robust: Bools
    fooled: Mapping[int, UInt8]
    by_attack: Mapping[str, int]
    twin_only: int


def survivors(subject: Subject, images: UInt8, labels: Int64, ball: Ball) -> Survivors:
    """Return which pictures the file names rightly after every attack.

    Args:
        subject: The file, its network and how much is done.
        images: uint8 (N, H, W, C).
        labels: The truth, int64 (N,).
        ball: How far a picture may be moved.
    """
    robust = subject.named(images) == labels
    fooled: dict[int, UInt8] = {}
    by_attack: dict[str, int] = {}
    twin_only = 0
    for name, attack in _attacks(subject, ball).items():
        left = np.flatnonzero(robust)
        if len(left) == 0:
            break
        moved = attack(images[left], labels[left])
        wrong = subject.named(moved) != labels[left]
        if subject.twin is not None and name != "square":
            twin_only += int(((subject.twin.logits(moved).argmax(axis=1) != labels[left]) & ~wrong).sum())
        robust[left[wrong]] = False
        fooled |= {int(left[k]): moved[k] for k in np.flatnonzero(wrong)}
        by_attack[name] = int(wrong.sum())
    return Survivors(robust, fooled, by_attack, twin_only)


def _attacks(subject: Subject, ball: Ball) -> dict[str, Callable[[UInt8, Int64], UInt8]]:
    """Return the attacks in the order of their price."""
    found: dict[str, Callable[[UInt8, Int64], UInt8]] = {}
    if subject.twin is not None:
        found = white_box(subject.twin, subject, ball)
    return found | {"square": asking(subject, ball)}


def white_box(
    twin: "Recognizer", subject: Subject, ball: Ball, *, steps: int | None = None
) -> dict[str, Callable[[UInt8, Int64], UInt8]]:
    """Return the attacks that follow the network's gradients, by name."""
    from foveal.certify.twin import attacked  # here: the rest needs no torch
    from foveal.perturb.attacks.white_box.apgd_ce import apgd_ce
    from foveal.perturb.attacks.white_box.apgd_dlr import apgd_dlr

    level, many = subject.level, steps or subject.level.steps

    def run(attack: Callable[..., "Tensor"], name: str) -> Callable[[UInt8, Int64], UInt8]:
        seed = seed_for(subject.seed, "certify", name, str(ball))
        return partial(attacked, twin, partial(attack, ball=ball, steps=many), ball=ball, seed=seed)

    return {
        "apgd-ce": run(apgd_ce, "apgd-ce"),
        "apgd-dlr-t": run(partial(apgd_dlr, targets=level.targets), "apgd-dlr-t"),
    }


def asking(subject: Subject, ball: Ball) -> Callable[[UInt8, Int64], UInt8]:
    """Return the attack that only asks the file."""

    def run(images: UInt8, labels: Int64) -> UInt8:
        rng = stream(subject.seed, "certify", "square", str(ball))
        queries = subject.level.queries
        found: UInt8 = square(subject.scores(), images, labels, ball=ball, queries=queries, rng=rng)
        return found

    return run


def _measure(subject: Subject) -> Section:
    images, labels = subject.test.some(subject.level.attacked)
    statements, strips = [], []
    asked = balls(subject.profile)
    told = subject.told("attacks")
    for place, (name, ball) in enumerate(asked.items()):
        if subject.twin is None:
            why = f"an attack that follows gradients needs the torch network: {subject.no_twin}"
            statements.append(_claim(name, ball).not_measured(why, asked=False))
            continue
        found = survivors(subject, images, labels, ball)
        statements.append(_stated(subject, name, ball, found))
        strips += [_strip(subject, ball, images, found)] if found.fooled else []
        told(place + 1, len(asked))
    return Section(tuple(statements), tuple(strips))


def _stated(subject: Subject, name: str, ball: Ball, found: Survivors) -> Statement:
    level, share = subject.level, float(found.robust.mean())
    details: dict[str, object] = {
        "broken_by": dict(found.by_attack),
        "network_only": found.twin_only,
        "steps": level.steps,
        "targets": level.targets,
        "queries": level.queries,
    }
    if name == _LABELLED:
        details["label"] = next(word for least, word in _LABELS if share >= least)
    statement = _claim(name, ball).share(
        int(found.robust.sum()), len(found.robust),
        note="no attack tried here turned more; a stronger one may", seed=subject.seed, details=details,
    )  # fmt: skip
    return statement if level.may_pass_attacks else statement.that_cannot_pass("smoke attacks are too weak")


def _strip(subject: Subject, ball: Ball, images: UInt8, found: Survivors) -> Strip:
    places = sorted(found.fooled)[:_SHOWN]
    moved = np.stack([found.fooled[place] for place in places])
    probabilities = subject.answers(moved)[0]
    shown: list[Shown] = []
    for place, picture, row in zip(places, moved, probabilities, strict=True):
        answer = int(row.argmax())
        shown += [
            Shown(images[place], "as it is", True),
            Shown(picture, f"{subject.predictor.classes[answer]}, {row[answer]:.0%}", False),
        ]
    return Strip(f"moved within {ball}", tuple(shown))


adversarial = Measurement("C6", "Adversaries", _claims, _measure)

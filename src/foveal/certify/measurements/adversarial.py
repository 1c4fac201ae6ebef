"""C6: pictures that an adversary moved by a little, and whether the file still names them rightly.

For each picture the worst of several attacks counts (Croce & Hein, "Reliable evaluation of adversarial
robustness with an ensemble of diverse parameter-free attacks", 2020). Attacks that follow gradients run on
the torch network, on whole grey levels, and go on until a picture is misread by more than file and network
differ; what they find is shown to the file that ships. The attack that only asks runs on the file itself, so
that gradients that vanish in it hide nothing. What withstood a larger ball is not attacked in a smaller one.
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
from foveal.certify.subject import Float32, Subject
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
_SEEING = ("apgd-ce", "pgd", "apgd-dlr-t")  # in the order of their price
_ROOM = 0.05  # of the usual margin: what rounding takes back of a move in L2, and more
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
        twin_only: Pictures that some attack turned for the network, and none for the file.
    """

    robust: Bools
    fooled: Mapping[int, UInt8]
    by_attack: Mapping[str, int]
    twin_only: int


def survivors(
    subject: Subject, images: UInt8, labels: Int64, ball: Ball, spared: Bools | None = None
) -> Survivors:
    """Return which pictures the file names rightly after every attack.

    Args:
        subject: The file, its network and how much is done.
        images: uint8 (N, H, W, C).
        labels: The truth, int64 (N,).
        ball: How far a picture may be moved.
        spared: Pictures that withstood all attacks within a larger ball of that norm, bool (N,): those have
            looked here, too, and are not repeated. So fewer are left the farther the ball.
    """
    probabilities, logits = subject.answers(images)
    robust = probabilities.argmax(axis=1) == labels
    fooled: dict[int, UInt8] = {}
    by_attack: dict[str, int] = {}
    tried = np.ones(len(images), dtype=np.bool_) if spared is None else ~spared
    misread = np.zeros(len(images), dtype=np.bool_)  # by the network
    clear = 0.0 if subject.twin is None else clearly(subject.twin, images, labels, logits)
    for name in (*(_SEEING if subject.twin is not None else ()), "square"):
        left = np.flatnonzero(robust & tried)
        if len(left) == 0:
            break
        if subject.twin is None or name == "square":
            attack = asking(subject, ball)
        else:
            attack = white_box(subject.twin, subject, ball, clear=clear)[name]
        moved, truth = attack(images[left], labels[left]), labels[left]
        probabilities, answered = subject.answers(moved)
        wrong = probabilities.argmax(axis=1) != truth
        if subject.twin is not None and name != "square":
            seen = subject.twin.logits(moved)
            misread[left] |= seen.argmax(axis=1) != truth
            # Where an attack lands the two differ more than elsewhere: the next one goes on for longer.
            clear = max(clear, _apart(seen, answered, truth))
        robust[left[wrong]] = False
        fooled |= {int(left[k]): moved[k] for k in np.flatnonzero(wrong)}
        by_attack[name] = int(wrong.sum())
    return Survivors(robust, fooled, by_attack, int((misread & robust).sum()))


def clearly(twin: "Recognizer", images: UInt8, labels: Int64, logits: Float32) -> float:
    """Return by how much the network has to misread a picture so that the file will, too, most likely.

    That is the largest difference of their margins on the pictures as they are, so that no picture that the
    file names rightly counts as misread before it is moved; and 5 % of the usual margin on top.

    Args:
        twin: The network.
        images: uint8 (N, H, W, C), N ≥ 1.
        labels: The truth, int64 (N,).
        logits: What the file answers for them, float32 (N, K).
    """
    seen = twin.logits(images)
    return _apart(seen, logits, labels) + _ROOM * float(np.median(np.abs(_margins(seen, labels))))


def _apart(one: Float32, other: Float32, labels: Int64) -> float:
    return float(np.abs(_margins(one, labels) - _margins(other, labels)).max())


def _margins(logits: Float32, labels: Int64) -> Float32:
    """Return by how much the best other logit is above the true one, float32 (N,)."""
    others = logits.copy()
    np.put_along_axis(others, labels[:, None], -np.inf, axis=1)
    found: Float32 = others.max(axis=1) - np.take_along_axis(logits, labels[:, None], axis=1)[:, 0]
    return found


def white_box(
    twin: "Recognizer", subject: Subject, ball: Ball, *, clear: float, steps: int | None = None
) -> dict[str, Callable[[UInt8, Int64], UInt8]]:
    """Return the attacks that follow the network's gradients, by name.

    Args:
        twin: The network.
        subject: How much is done, and the seed.
        ball: How far a picture may be moved.
        clear: Margin from which a picture is left alone.
        steps: Instead of the level's.
    """
    from foveal.certify.twin import attacked  # here: the rest needs no torch
    from foveal.perturb.attacks.white_box.apgd_ce import apgd_ce
    from foveal.perturb.attacks.white_box.apgd_dlr import apgd_dlr
    from foveal.perturb.attacks.white_box.pgd import pgd

    level, many = subject.level, steps or subject.level.steps

    def run(attack: Callable[..., "Tensor"], name: str) -> Callable[[UInt8, Int64], UInt8]:
        seed = seed_for(subject.seed, "certify", name, str(ball))
        return partial(attacked, twin, partial(attack, steps=many), ball=ball, seed=seed)

    return {
        "apgd-ce": run(partial(apgd_ce, clear=clear), "apgd-ce"),
        "pgd": run(pgd, "pgd"),
        "apgd-dlr-t": run(partial(apgd_dlr, targets=level.targets, clear=clear), "apgd-dlr-t"),
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
    asked = balls(subject.profile)
    if subject.twin is None:
        why = f"an attack that follows gradients needs the torch network: {subject.no_twin}"
        return Section(tuple(claim.not_measured(why, asked=False) for claim in _claims(subject.profile)))
    images, labels = subject.test.some(subject.level.attacked)
    found: dict[str, Survivors] = {}
    robust: dict[str, Bools] = {}  # by norm, within the smallest ball so far
    told = subject.told("attacks")
    for name, ball in sorted(asked.items(), key=lambda pair: (pair[1].norm, -pair[1].radius)):
        found[name] = survivors(subject, images, labels, ball, robust.get(ball.norm))
        robust[ball.norm] = found[name].robust
        told(len(found), len(asked))
    return Section(
        tuple(_stated(subject, name, ball, found[name]) for name, ball in asked.items()),
        tuple(
            _strip(subject, ball, images, found[name]) for name, ball in asked.items() if found[name].fooled
        ),
    )


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
    return at_this_level(subject, statement)


def at_this_level(subject: Subject, statement: Statement) -> Statement:
    """Return what a number about attacks says: that a limit is kept only where they were strong enough."""
    may_pass = subject.level.may_pass_attacks
    return statement if may_pass else statement.that_cannot_pass("smoke attacks are too weak")


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

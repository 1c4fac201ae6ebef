"""C6: pictures that an adversary moved by a little, and whether the file still names them rightly.

What is done within one distance is in `_attacks`, signs that it was blunt are in `_attack_flags`. The largest
Linf distance, and each that a limit is set on, gets all the pictures that a level attacks; every other one
fewer of the same.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from foveal.certify.claim import Claim
from foveal.certify.measurement import NO_ATTACKS, Measurement, Section, Shown, Strip
from foveal.certify.measurements._attack_flags import attack_flags
from foveal.certify.measurements._attacks import Survivors, survivors
from foveal.certify.profile import Profile
from foveal.certify.statement import Statement
from foveal.certify.subject import Subject
from foveal.data.sizing import evenly_spaced
from foveal.perturb.attacks.ball import Ball

if TYPE_CHECKING:
    from foveal.tasks.recognizer import Recognizer

_SHOWN = 8
_FLAGS = Claim("attack_flags", "signs that the attacks were blunt", "indicator", "at_most")
_LABELS = ((0.55, "strong"), (0.45, "hardened"), (0.20, "partly hardened"), (0.0, "not hardened"))
_LABELLED = "robust_linf_8"


def _balls(profile: Profile) -> dict[str, Ball]:
    """Return the distances of a profile by the name of their statement."""
    linf = {f"robust_linf_{_written(r)}": Ball("linf", r) for r in profile.radii}
    return linf | {f"robust_l2_{_written(r)}": Ball("l2", 255 * r) for r in profile.l2_radii}


def _written(radius: float) -> str:
    return f"{radius:g}".replace(".", "_")


def _claims(profile: Profile) -> Sequence[Claim]:
    return (*(_claim(key, ball) for key, ball in _balls(profile).items()), _FLAGS)


def _claim(key: str, ball: Ball) -> Claim:
    return Claim(key, f"named rightly after every attack within {ball}", "upper_bound")


def _measure(subject: Subject) -> Section:
    claims = _claims(subject.profile)
    if subject.twin is None:
        why = f"an attack that follows gradients needs the torch network: {subject.no_twin}"
        return Section(tuple(claim.not_measured(why, asked=False) for claim in claims))
    asked = _balls(subject.profile)
    if not asked:
        return Section((_FLAGS.not_measured("no distance is asked for", asked=False),))
    found = _attacked(subject, asked)
    statements = [_stated(subject, name, ball, found[name]) for name, ball in asked.items()]
    strips = [_strip(subject, ball, found[name]) for name, ball in asked.items() if found[name].fooled]
    return Section((*statements, _flags(subject, subject.twin, asked, found)), tuple(strips))


def _attacked(subject: Subject, asked: dict[str, Ball]) -> dict[str, Survivors]:
    """Return who is left within each distance, the farthest of each norm first."""
    images, labels = subject.test.some(subject.level.attacked)
    every = np.arange(len(images))
    fewer = np.array(evenly_spaced(len(images), at_most=subject.level.attacked_otherwise), dtype=np.int64)
    farthest = max((ball.radius for ball in asked.values() if ball.norm == "linf"), default=None)
    found: dict[str, Survivors] = {}
    withstood = {norm: np.zeros(len(images), dtype=np.bool_) for norm in ("linf", "l2")}
    told = subject.told("attacks")
    for name, ball in sorted(asked.items(), key=lambda pair: (pair[1].norm, -pair[1].radius)):
        whole = name in subject.profile.limits or (ball.norm == "linf" and ball.radius == farthest)
        places = every if whole else fewer
        spared = withstood[ball.norm][places]
        found[name] = survivors(subject, images[places], labels[places], ball, spared)
        withstood[ball.norm][places] = found[name].robust
        told(len(found), len(asked))
    return found


def _flags(
    subject: Subject, twin: "Recognizer", asked: dict[str, Ball], found: dict[str, Survivors]
) -> Statement:
    """Return how many signs there are that the attacks were blunt, in the largest ball of each norm."""
    by_size = sorted(asked, key=lambda name: (asked[name].norm != "linf", -asked[name].radius))  # Linf first
    largest: dict[str, str] = {}
    for name in by_size:
        largest.setdefault(asked[name].norm, name)
    rows = attack_flags(subject, twin, [(asked[name], found[name]) for name in largest.values()])
    red = [row for row in rows if row["red"]]
    note = "; ".join(f"{row['flag']} ({row['ball']})" if row["ball"] else row["flag"] for row in red)
    statement = _FLAGS.counted(len(red), len(rows), note=note or "none of them", details={"flags": rows})
    return _at_this_level(subject, statement)


def _stated(subject: Subject, name: str, ball: Ball, found: Survivors) -> Statement:
    level, share = subject.level, float(found.robust.mean())
    details: dict[str, object] = {
        "broken_by": {attack: len(places) for attack, places in found.broken.items()},
        "network_only": found.network_only,
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
    return _at_this_level(subject, statement)


def _at_this_level(subject: Subject, statement: Statement) -> Statement:
    """Return what a number about attacks says: that a limit is kept only where they were strong enough."""
    may_pass = subject.level.may_pass_attacks
    return statement if may_pass else statement.that_cannot_pass("smoke attacks are too weak")


def _strip(subject: Subject, ball: Ball, found: Survivors) -> Strip:
    places = sorted(found.fooled)[:_SHOWN]
    moved = np.stack([found.fooled[place] for place in places])
    probabilities = subject.answers(moved)[0]
    shown: list[Shown] = []
    for place, picture, row in zip(places, moved, probabilities, strict=True):
        answer = int(row.argmax())
        shown += [
            Shown(found.images[place], "as it is", True),
            Shown(picture, f"{subject.predictor.classes[answer]}, {row[answer]:.0%}", False),
        ]
    return Strip(f"moved within {ball}", tuple(shown))


adversarial = Measurement("C6", "Adversaries", _claims, _measure, not_for_scenes=NO_ATTACKS)

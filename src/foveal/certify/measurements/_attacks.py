"""Attacks within one ball, one after the other, and who is left.

For each picture the worst of several attacks counts (Croce & Hein, "Reliable evaluation of adversarial
robustness with an ensemble of diverse parameter-free attacks", 2020). Attacks that follow gradients run on
the torch network, on whole grey levels, and go on until a picture is misread by more than file and network
differ; what they find is shown to the file that ships. The attack that only asks runs on the file itself, so
that gradients that vanish in it hide nothing. What withstood a larger ball is not attacked in a smaller one.
A film is one input, all of whose frames may be changed: a distance is that of the whole clip.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from foveal.certify.parts import Parts
from foveal.certify.subject import Float32, Subject
from foveal.core.random import seed_for, stream
from foveal.data.clip import tall
from foveal.data.dataset import UInt8
from foveal.perturb.attacks.ball import Ball
from foveal.perturb.attacks.black_box.square import square

if TYPE_CHECKING:
    from torch import Tensor

    from foveal.tasks.recognizer import Recognizer

Bools = NDArray[np.bool_]
Int64 = NDArray[np.int64]
Attack = Callable[[UInt8, Int64], UInt8]  # from pictures and the truth to moved pictures
ASKING = "square"
_SEEING = ("apgd-ce", "apgd-dlr-t")  # in the order of their price
_ROOM = 0.05  # of the usual margin: what rounding takes back of a move in L2, and more


@dataclass(frozen=True)
class Survivors:
    """Who is left after every attack within one ball.

    Attributes:
        images: The pictures as they are, uint8 (N, H, W, C).
        labels: The truth, int64 (N,).
        clean: Whether the file names each rightly as it is, bool (N,).
        robust: Whether it does so after all attacks, bool (N,).
        fooled: Pictures that were right and are wrong now: their position, and the moved picture.
        broken: The positions that each attack broke of those that were left when its turn came.
        network_only: Pictures that some attack turned for the network, and none for the file.
        clear: By how much the network had to misread a picture in the end before an attack left it alone.
    """

    images: UInt8
    labels: Int64
    clean: Bools
    robust: Bools
    fooled: Mapping[int, UInt8]
    broken: Mapping[str, Int64]
    network_only: int
    clear: float


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
    twin = subject.twin
    probabilities, logits = subject.answers(images)
    clean = probabilities.argmax(axis=1) == labels
    robust, fooled, broken = clean.copy(), dict[int, UInt8](), dict[str, Int64]()
    tried = np.ones(len(images), dtype=np.bool_) if spared is None else ~spared
    misread = np.zeros(len(images), dtype=np.bool_)  # by the network
    clear = 0.0 if twin is None else clearly(twin, images, labels, logits)
    for name in (*(_SEEING if twin is not None else ()), ASKING):
        left = np.flatnonzero(robust & tried)
        if len(left) == 0:
            break
        truth = labels[left]
        if twin is None or name == ASKING:
            moved = asking(subject, ball)(images[left], truth)
        else:
            moved = following(twin, subject, ball, clear=clear)[name](images[left], truth)
        probabilities, answered = subject.answers(moved)
        wrong = probabilities.argmax(axis=1) != truth
        if twin is not None and name != ASKING:
            seen = twin.logits(moved)
            misread[left] |= seen.argmax(axis=1) != truth
            # Where an attack lands the two differ more than elsewhere: the next one goes on for longer.
            clear = max(clear, _apart(seen, answered, truth))
        robust[left[wrong]] = False
        fooled |= {int(left[k]): moved[k] for k in np.flatnonzero(wrong)}
        broken[name] = left[wrong]
    return Survivors(images, labels, clean, robust, fooled, broken, int((misread & robust).sum()), clear)


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


def following(
    twin: "Recognizer", subject: Subject, ball: Ball, *, clear: float, steps: int | None = None
) -> dict[str, Attack]:
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

    level, many = subject.level, steps or subject.level.steps

    def run(attack: Callable[..., "Tensor"], name: str) -> Attack:
        parts = Parts(seed_for(subject.seed, "certify", name, str(ball)), subject.threads)
        return partial(attacked, twin, partial(attack, steps=many, clear=clear), ball=ball, parts=parts)

    return {
        "apgd-ce": run(apgd_ce, "apgd-ce"),
        "apgd-dlr-t": run(partial(apgd_dlr, targets=level.targets), "apgd-dlr-t"),
    }


def asking(subject: Subject, ball: Ball) -> Attack:
    """Return the attack that only asks the file."""
    parts = Parts(seed_for(subject.seed, "certify", ASKING, str(ball)), subject.threads)
    scores, queries = replace(subject, threads=1).scores(), subject.level.queries  # parts run side by side

    def run(images: UInt8, labels: Int64) -> UInt8:
        shown = tall(images)

        def work(part: slice, seed: int) -> UInt8:
            rng = stream(seed, ASKING)
            found: UInt8 = square(scores, shown[part], labels[part], ball=ball, queries=queries, rng=rng)
            return found

        return parts.of(shown, work).reshape(images.shape)

    return run

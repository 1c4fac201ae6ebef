"""C8: a printed patch that makes pictures be taken for one class, and one made for each picture.

The printed patch is trained on the torch network over poses and places, on pictures that are not counted,
and laid on others; the local one knows its picture. Both are shown to the file. The defence asks it about
masked copies (`certified.patches`), and the same local patches are shown to the defended recognizer.
Sources: Brown et al., "Adversarial Patch", 2017; Xiang et al., "PatchCleanser", 2022.
"""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from foveal.certified.patches import defended
from foveal.certify.claim import Claim
from foveal.certify.measurement import NO_ATTACKS, Measurement, Section, Shown, Strip
from foveal.certify.measurements._attacks import clearly
from foveal.certify.measurements.certified_patch import masks_against
from foveal.certify.parts import Parts
from foveal.certify.profile import Profile
from foveal.certify.statement import Statement
from foveal.certify.subject import Subject
from foveal.core.parallel import in_order
from foveal.core.random import seed_for
from foveal.data.dataset import UInt8

if TYPE_CHECKING:
    from foveal.perturb.attacks.laying import Patch
    from foveal.tasks.recognizer import Recognizer

Int64 = NDArray[np.int64]
_SHOWN = 8
_TARGETS = 3  # classes that a printed patch is made for; the worst counts
_DEFENDED = 50  # pictures: each costs up to 666 answers


def _claims(profile: Profile) -> Sequence[Claim]:
    share = f"{profile.patch_share:.0%}"
    return (
        Claim(
            "patch_success", f"right answers that a printed patch of {share} turns to its class",
            "upper_bound", "at_most",
        ),
        Claim(
            "local_patch_success", f"right answers that a patch of {share} made for them turns",
            "upper_bound", "at_most",
        ),
        Claim(
            "defended_patch_success", "the same patches, where masked copies are asked about",
            "upper_bound", "at_most",
        ),
    )  # fmt: skip


def _measure(subject: Subject) -> Section:
    claims = _claims(subject.profile)
    if subject.level.patched == 0:
        return Section(tuple(one.not_measured("not at this level", asked=False) for one in claims))
    if subject.twin is None:
        return Section(tuple(one.not_measured(subject.no_twin, asked=False) for one in claims))
    images, labels = subject.test.some(2 * subject.level.patched)
    right = subject.named(images) == labels
    images, labels = images[right], labels[right]
    if len(images) < 4:
        why = "the file names too few of these pictures rightly"
        return Section(tuple(one.not_measured(why) for one in claims))
    learning, counted = slice(0, None, 2), slice(1, None, 2)  # a patch is not counted on what it was made on
    printed, strip = _printed(subject, subject.twin, images[learning], images[counted], labels[counted])
    local, moved = _local(subject, subject.twin, images[counted], labels[counted])
    masked = _defended(subject, moved, images[counted], labels[counted])
    return Section((printed, local, masked), (strip, _strip(subject, "a patch for each", moved)))


def _printed(
    subject: Subject, twin: "Recognizer", learning: UInt8, images: UInt8, labels: Int64
) -> tuple[Statement, Strip]:
    """Return how many pictures of other classes a printed patch turns to its class, for the worst class."""
    from foveal.perturb.attacks.laying import apply_patch  # here: the rest needs no torch

    tried: dict[str, tuple[int, int]] = {}
    pictures: dict[str, UInt8] = {}
    classes = len(subject.predictor.classes)
    targets = np.linspace(0, classes - 1, min(_TARGETS, classes)).round().astype(int).tolist()
    told = subject.told("printed patches")
    for place, made in enumerate(_trained(subject, twin, learning, targets)):
        laid = apply_patch(made, images, seed=subject.seed)
        others = labels != made.target
        hits, n = int((subject.named(laid[others]) == made.target).sum()), int(others.sum())
        if n:
            name = subject.predictor.classes[made.target]
            tried[name], pictures[name] = (hits, n), laid
        told(place + 1, len(targets))
    [claim, *_] = _claims(subject.profile)
    if not tried:
        return claim.not_measured("all pictures are of the classes that patches were made for"), Strip("", ())
    note = f"the worst of {len(tried)} classes that one was made for; {subject.level.patch_steps} steps"
    statement = claim.worst(tried, note=note, seed=subject.seed)
    name = statement.details["worst"]
    return statement, _strip(subject, f"a printed patch for {name}", pictures[name])


def _trained(
    subject: Subject, twin: "Recognizer", images: UInt8, targets: Sequence[int]
) -> "Iterator[Patch]":
    """Yield a printed patch for each target; they are trained side by side, each on one thread."""
    import torch  # here: the rest needs none

    from foveal.certify.twin import as_tensor, one_thread, pixel_logits
    from foveal.perturb.attacks.patches.patch import patch

    pixels = as_tensor(images)

    def train(target: int) -> "Patch":
        with one_thread():
            return patch(
                pixel_logits(twin),
                pixels,
                target=target,
                share=subject.profile.patch_share,
                steps=subject.level.patch_steps,
                generator=torch.Generator().manual_seed(seed_for(subject.seed, "certify", "patch", target)),
            )

    return in_order(train, targets, workers=subject.threads, name="foveal-patch")


def _local(subject: Subject, twin: "Recognizer", images: UInt8, labels: Int64) -> tuple[Statement, UInt8]:
    import torch  # here: the rest needs none

    from foveal.certify.twin import as_tensor, one_thread, pixel_logits
    from foveal.perturb.attacks.patches.local_patch import local_patch

    # Integers clip what a patch drives up: only the clearest has a chance there.
    exact = subject.predictor.manifest.model.precision == "fp32"
    clear = clearly(twin, images, labels, subject.answers(images)[1]) if exact else math.inf

    def work(part: slice, seed: int) -> UInt8:
        with one_thread():
            moved = local_patch(
                pixel_logits(twin),
                as_tensor(images[part]),
                torch.from_numpy(labels[part]),
                share=subject.profile.patch_share,
                steps=subject.level.patch_steps,
                generator=torch.Generator().manual_seed(seed),
                clear=clear,
            )
        found: UInt8 = moved.permute(0, 2, 3, 1).round().clamp(0, 255).to(torch.uint8).numpy()
        return found

    shown = Parts(seed_for(subject.seed, "certify", "local patch"), subject.threads).of(
        images, work, told=subject.told("a patch for each")
    )
    turned = subject.named(shown) != labels
    claim = _claims(subject.profile)[1]
    note = f"{subject.level.patch_steps} steps where the slope is steepest, then where a square hides most"
    return claim.share(int(turned.sum()), len(turned), note=note, seed=subject.seed), shown


def _defended(subject: Subject, moved: UInt8, images: UInt8, labels: Int64) -> Statement:
    """Return how many of the local patches still turn the answer of the defended recognizer."""
    claim = _claims(subject.profile)[2]
    some = np.linspace(0, len(moved) - 1, min(_DEFENDED, len(moved))).round().astype(int)
    masks = masks_against(subject)
    before = defended(subject.scores(), images[some], masks) == labels[some]
    if not before.any():
        return claim.not_measured("the defended recognizer names none of these pictures rightly")
    after = defended(subject.scores(), moved[some][before], masks) != labels[some][before]
    note = f"of {int(before.sum())} pictures that the defended recognizer names rightly without a patch"
    return claim.share(int(after.sum()), len(after), note=note, seed=subject.seed)


def _strip(subject: Subject, title: str, images: UInt8) -> Strip:
    some = images[:_SHOWN]
    probabilities = subject.answers(some)[0]
    names = subject.predictor.classes
    return Strip(
        title,
        tuple(
            Shown(image, f"{names[int(row.argmax())]}, {row.max():.0%}", None)
            for image, row in zip(some, probabilities, strict=True)
        ),
    )


patch = Measurement(
    "C8",
    "Patches",
    _claims,
    _measure,
    not_for_films="patches are made for single pictures; none is made that moves with a film",
    not_for_scenes=NO_ATTACKS,
)

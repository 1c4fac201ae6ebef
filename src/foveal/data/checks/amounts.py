"""How little the numbers that training prints can prove with so few pictures."""

import math
from collections import Counter
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from foveal.core.promises import DELTA, RISK, calibration_images_needed
from foveal.core.types import Finding
from foveal.core.wording import EXAMPLES, counted
from foveal.data.dataset import Dataset
from foveal.data.inventory import Inventory
from foveal.data.split import CARVED_SHARE, Split, can_train

MOST_IMBALANCE = 10
SURE_TEST_IMAGES = 384  # any accuracy is then known to ±5 points or better: 98 / √n
SURE_CLASS_RECALL = 0.9
FEW_TO_LEARN_FROM = 10


def amounts(dataset: Dataset, inventory: Inventory, split: Split | None) -> Iterator[Finding]:
    """Yield imbalance, the absence of training pictures, and what their number leaves unproven."""
    yield from _nothing_to_train_on(dataset, inventory)
    if dataset.scenes is not None:  # what is counted there are objects or pixels, and no share is proven
        if split is not None:
            yield from _empty_roles(split)
        return
    yield from _imbalance(dataset)
    if split is not None:
        yield from _empty_roles(split)
        yield from _calibration(split)
        yield from _test(dataset, split.test)
        yield from _training(dataset, split.fit)


def lowest_recall(right: int) -> float:
    """Return the lower end of the exact 95 % interval (Clopper & Pearson, 1934) when all n are right.

    >>> round(lowest_recall(5), 2)
    0.48
    """
    return float(0.025 ** (1 / right))


def _nothing_to_train_on(dataset: Dataset, inventory: Inventory) -> Iterator[Finding]:
    if not can_train(dataset, inventory):
        use = "can be evaluated, not trained" if inventory.readable.any() else "can be used for nothing"
        yield Finding(
            "no_training_images",
            "info",
            len(dataset),
            f"There are no readable pictures to train on: this {use}.",
            "Training pictures lie in train/<class>/, or in <class>/ where there are no splits.",
        )


def _imbalance(dataset: Dataset) -> Iterator[Finding]:
    pairs = zip(dataset.labels.tolist(), dataset.splits, strict=True)
    counts = Counter(label for label, split in pairs if split in ("", "train")).most_common()
    if not counts or counts[0][1] <= MOST_IMBALANCE * counts[-1][1]:
        return
    (most, many), (least, few) = counts[0], counts[-1]
    yield Finding(
        "imbalance",
        "warning",
        sum(many > MOST_IMBALANCE * count for _, count in counts),
        f"{dataset.classes[most]!r} has {many} training pictures, {dataset.classes[least]!r} has {few}: "
        "plain accuracy will mostly speak of the large class.",
        "Judge by balanced accuracy and the worst class, or add pictures to the small classes.",
        tuple(dataset.classes[label] for label, _ in reversed(counts[-EXAMPLES:])),
    )


def _empty_roles(split: Split) -> Iterator[Finding]:
    for role, folder, purpose in (("calib", "val", "calibrate"), ("test", "test", "measure")):
        if len(split.role(role)) == 0:
            yield Finding(
                "empty_role",
                "error",
                0,
                f"No picture is left to {purpose} on: nothing could be said about the recognizer.",
                f"Bring at least three pictures per class, or some in {folder}.",
            )


def _calibration(split: Split) -> Iterator[Finding]:
    count, images = split.independent("calib"), len(split.calib)
    grouped = count < images
    those = counted(count, "calibration image")
    if grouped:
        those = f"{images} calibration images that, counted once where they belong together, are {count},"
    kind = "groups or single pictures" if grouped else "pictures"
    needed = calibration_images_needed(RISK, DELTA)
    if 0 < count < needed:
        yield Finding(
            "few_images",
            "warning",
            count,
            f"With {those} a {RISK:.0%} risk cannot be shown; about {needed} would be needed, without error "
            "where they prove. The recognizer will not know when to decline.",
            f"Bring {needed} or more {kind} in val, or {math.ceil(needed / CARVED_SHARE)} in train.",
        )


def _test(dataset: Dataset, test: NDArray[np.int64]) -> Iterator[Finding]:
    if 0 < len(test) < SURE_TEST_IMAGES:
        yield Finding(
            "few_images",
            "warning",
            len(test),
            f"With {counted(len(test), 'test image')} the accuracy is known to about "
            f"±{98 / math.sqrt(len(test)):.0f} points.",
            f"Bring {SURE_TEST_IMAGES} or more test pictures to know it to ±5 points.",
        )
    counts = np.bincount(dataset.labels[test], minlength=len(dataset.classes))
    unsure = [int(k) for k in np.flatnonzero(counts) if lowest_recall(counts[k]) < SURE_CLASS_RECALL]
    if unsure:
        worst = min(unsure, key=lambda k: (counts[k], k))
        yield Finding(
            "few_images",
            "warning",
            len(unsure),
            f"{counted(len(unsure), 'class')} with few test images: {dataset.classes[worst]!r} has "
            f"{counts[worst]}. Even if all are right, its recall could be as low as "
            f"{lowest_recall(counts[worst]):.0%}.",
            "Bring 36 or more test pictures per class, or do not judge single classes.",
            tuple(dataset.classes[k] for k in unsure[:EXAMPLES]),
        )


def _training(dataset: Dataset, fit: NDArray[np.int64]) -> Iterator[Finding]:
    counts = np.bincount(dataset.labels[fit], minlength=len(dataset.classes))
    scarce = np.flatnonzero((counts > 0) & (counts < FEW_TO_LEARN_FROM))
    if len(scarce):
        yield Finding(
            "few_images",
            "warning",
            len(scarce),
            f"{counted(len(scarce), 'class')} with fewer than {FEW_TO_LEARN_FROM} images to learn from.",
            "Add pictures that differ in what will differ later: light, angle, background, maker.",
            tuple(dataset.classes[k] for k in scarce[:EXAMPLES]),
        )

"""Which classes are learned from and which are held out: for whoever is to recognize classes it never saw."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import DataError
from foveal.core.random import stream
from foveal.data.dataset import Dataset
from foveal.data.linking import linked

SCHEMA = "foveal.class_split/1"
ROLES = ("fit", "calib", "test")
_ROLE_OF_SPLIT = {"": "fit", "train": "fit", "val": "calib", "test": "test"}
Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class ClassSplit:
    """Which picture has which role; no class has pictures of two roles.

    Attributes:
        fit, calib, test: Indices into the data set, int64, ascending; the last two may be empty.
        by: What stays on one side: `split` where the data divide their classes themselves, `group` where the
            part of a class's name before the last `/` does, `class` where each stands alone.
        seed: What it was drawn with.
        fingerprint: Of the data.
    """

    fit: Int64
    calib: Int64
    test: Int64
    by: str
    seed: int
    fingerprint: str

    def role(self, name: str) -> Int64:
        """Return the pictures of a role, one of `ROLES`."""
        return {"fit": self.fit, "calib": self.calib, "test": self.test}[name]

    def to_json(self, dataset: Dataset, hashes: Sequence[str]) -> dict[str, Any]:
        """Return `split.json`: classes by role, and each picture's name and content hash by role."""
        return {
            "schema": SCHEMA,
            "seed": self.seed,
            "by": self.by,
            "fingerprint": self.fingerprint,
            "classes": {role: classes_of(dataset, self.role(role)) for role in ROLES},
            **{role: [[dataset.sources[i], hashes[i]] for i in self.role(role)] for role in ROLES},
        }


def from_json(document: Mapping[str, Any], dataset: Dataset, *, fingerprint: str) -> ClassSplit:
    """Return the saved split of the same data.

    Raises:
        DataError: `split_mismatch`: the data are not those it was made for.
    """
    if document.get("schema") != SCHEMA or document.get("fingerprint") != fingerprint:
        raise DataError(
            f"{dataset.path} is not the data this split was made for, or has changed since",
            code="split_mismatch",
            hint="restore the data, or train anew",
            path=dataset.path,
        )
    place = {source: i for i, source in enumerate(dataset.sources)}
    fit, calib, test = (np.array([place[s] for s, _ in document[role]], dtype=np.int64) for role in ROLES)
    return ClassSplit(fit, calib, test, document["by"], document["seed"], fingerprint)


def make(
    dataset: Dataset, hashes: Sequence[str], *, fingerprint: str, share: float, least: int, seed: int
) -> ClassSplit:
    """Give every readable picture the role of its class.

    Splits on disk whose classes differ are taken as they are. Otherwise the classes of what is to be learned
    from (`train`, or all) are divided, and pictures of `val` and `test` on disk are left alone. Classes with
    names like `alphabet/character` stay with their alphabet, and classes that share a picture stay together.

    Args:
        dataset: Names, labels and splits.
        hashes: Content hash of each picture; "" where it cannot be read.
        fingerprint: Of the data.
        share: Of the classes that go to test, and again to calib, in [0, 0.4].
        least: Classes that a role needs to be of use: what would have fewer gets none.
        seed: Decides which classes are held out.

    Raises:
        DataError: `no_training_images`; `too_few_classes`: fewer than `least` to learn from.
    """
    readable = np.array([bool(content) for content in hashes])
    role_of_split = np.array([_ROLE_OF_SPLIT[name] for name in dataset.splits])
    named = {role: set(dataset.labels[readable & (role_of_split == role)].tolist()) for role in ROLES}
    if not named["fit"]:
        raise DataError(
            f"{dataset.path} has no readable picture to train on",
            code="no_training_images",
            hint="training pictures lie in train/<class>/, or in <class>/ where there are no splits",
            path=dataset.path,
        )
    apart = sum(map(len, named.values())) == len(set.union(*named.values()))
    if apart and (named["calib"] or named["test"]):
        by, roles = "split", {k: role for role, found in named.items() for k in found}
    else:
        pool = np.flatnonzero(readable & (role_of_split == "fit"))
        by, families = _families(dataset, hashes, pool)
        readable &= role_of_split == "fit"
        roles = _dealt(families, share=share, least=least, seed=seed)
    if sum(role == "fit" for role in roles.values()) < least:
        raise DataError(
            f"tasks of {least} classes need as many to learn from; {dataset.path} has {len(named['fit'])}",
            code="too_few_classes",
            hint=f"--way {max(2, len(named['fit']) // 2)}, or data of more classes",
            path=dataset.path,
        )
    role_of_each = np.array([roles.get(int(label), "") for label in dataset.labels])
    fit, calib, test = (np.flatnonzero(readable & (role_of_each == role)) for role in ROLES)
    return ClassSplit(fit, calib, test, by, seed, fingerprint)


def classes_of(dataset: Dataset, indices: Int64) -> list[str]:
    """Return the names of the classes of some pictures, in their order."""
    return [dataset.classes[k] for k in np.unique(dataset.labels[indices])]


def _families(dataset: Dataset, hashes: Sequence[str], pool: Int64) -> tuple[str, list[list[int]]]:
    """Return what keeps classes together, and the classes that stay together."""
    labels = dataset.labels[pool].tolist()
    groups = [dataset.classes[k].rpartition("/")[0] for k in labels]
    names = [list(map(str, labels)), [hashes[i] for i in pool]]
    grouped = len(set(groups)) > 1 and all(groups)
    if grouped:
        names.append(groups)
    families: dict[int, dict[int, None]] = {}
    for label, first in zip(labels, linked(*names), strict=True):
        families.setdefault(first, {})[label] = None
    return ("group" if grouped else "class"), [sorted(family) for family in families.values()]


def _dealt(families: list[list[int]], *, share: float, least: int, seed: int) -> dict[int, str]:
    """Return the role of each class: whole families to test and calib until they have about their share."""
    shuffled = [families[i] for i in stream(seed, "class split").permutation(len(families))]
    total = left = sum(map(len, families))
    roles = {k: "fit" for family in families for k in family}
    for role in ("test", "calib"):
        target = max(least, round(share * total))
        if share == 0 or left - target < least:
            continue
        taken: list[list[int]] = []
        have = 0
        for family in shuffled:
            fits = have < target and left - have - len(family) >= least
            if fits and (have < least or abs(have + len(family) - target) <= target - have):
                taken.append(family)
                have += len(family)
        if have < least:
            continue
        roles |= {k: role for family in taken for k in family}
        shuffled = [family for family in shuffled if family not in taken]
        left -= have
    return roles

"""Which pictures are learned from, which calibrate, which measure: fit, calib and test."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import DataError
from foveal.core.random import seed_for
from foveal.data.dataset import Dataset
from foveal.data.fingerprint import fingerprint
from foveal.data.inventory import Inventory
from foveal.data.linking import linked

SCHEMA = "foveal.split/1"
ROLES = ("fit", "calib", "test")
CARVED_SHARE = 0.15
Unit = list[int]  # indices of pictures that must not be torn apart
_ROLE_OF_SPLIT = {"": "fit", "train": "fit", "val": "calib", "test": "test"}


@dataclass(frozen=True)
class Split:
    """Which picture has which role; unreadable ones have none.

    Attributes:
        fit, calib, test: Indices into the data set, int64, ascending.
        carved: Roles that the layout did not bring and that were taken from train.
        seed: What the carving was drawn with.
        fingerprint: The data it belongs to.
        units: For each picture of the data set the index of the first one that it belongs together with,
            by group or by identical bytes, int64 (N,); its own index where it stands alone.
        digest: The sha256 over which content has which role; equal digests divide equally.
    """

    fit: NDArray[np.int64] = field(repr=False)
    calib: NDArray[np.int64] = field(repr=False)
    test: NDArray[np.int64] = field(repr=False)
    carved: tuple[str, ...]
    seed: int
    fingerprint: str
    units: NDArray[np.int64] = field(repr=False)
    digest: str

    def role(self, name: str) -> NDArray[np.int64]:
        """Return the indices of `fit`, `calib` or `test`."""
        return {"fit": self.fit, "calib": self.calib, "test": self.test}[name]

    def independent(self, name: str) -> int:
        """Return how many pictures of a role count where those that belong together count once."""
        return len(np.unique(self.units[self.role(name)]))

    def to_json(self, dataset: Dataset, contents: Sequence[str]) -> dict[str, Any]:
        """Return `split.json`: classes, names and content hashes by role, what belongs together."""
        members: dict[int, list[str]] = defaultdict(list)
        for index, first in enumerate(self.units.tolist()):
            members[first].append(dataset.sources[index])
        return {
            "schema": SCHEMA,
            "seed": self.seed,
            "fingerprint": self.fingerprint,
            "carved": list(self.carved),
            "classes": list(dataset.classes),
            "together": [names for names in members.values() if len(names) > 1],
            **{role: [[dataset.sources[i], contents[i]] for i in self.role(role)] for role in ROLES},
        }


def can_train(dataset: Dataset, inventory: Inventory) -> bool:
    """Return whether any readable picture is there to fit on; without one, `make` refuses."""
    pairs = zip(dataset.splits, inventory.readable, strict=True)
    return any(good and _ROLE_OF_SPLIT[split] == "fit" for split, good in pairs)


def make(dataset: Dataset, inventory: Inventory, *, seed: int) -> Split:
    """Give every readable picture a role.

    Train, val and test on disk are fit, calib and test. A role the layout lacks is carved from train:
    15 % of each class, whole groups and whole clusters of identical pictures only. Each class keeps at
    least one picture to fit; with two, the other one goes to test if that is carved.
    The outcome depends on seed, contents and classes, neither on names nor on the order of the files,
    and what is added to one class does not move pictures of another.

    Args:
        dataset: Names, labels, splits and groups.
        inventory: Content hashes, and which pictures are readable.
        seed: Decides which pictures are carved.

    Raises:
        DataError: `no_training_images`: nothing to fit on.
    """
    role = {int(i): _ROLE_OF_SPLIT[dataset.splits[i]] for i in np.flatnonzero(inventory.readable)}
    pool = [i for i, name in role.items() if name == "fit"]
    if not pool:
        raise DataError(
            f"{dataset.path} has no readable picture to train on",
            code="no_training_images",
            hint="training pictures lie in train/<class>/, or in <class>/ where there are no splits"
            if dataset.scenes is None
            else "training pictures are those in train, or all where there are no splits",
            path=dataset.path,
        )
    carved = tuple(name for name in ("test", "calib") if name not in role.values())
    role |= _carve(dataset, inventory, pool, carved, seed)
    fit, calib, test = (
        np.array(sorted(i for i, name in role.items() if name == wanted), dtype=np.int64) for wanted in ROLES
    )
    hashes = ([inventory.sha256[i] for i in indices] for indices in (fit, calib, test))
    units = unit_of_each(dataset, {i: inventory.sha256[i] for i in role})
    return Split(fit, calib, test, carved, seed, inventory.fingerprint, units, _digest(*hashes))


def of_taught(dataset: Dataset, contents: Sequence[str], *, seed: int) -> Split:
    """Return who has which role where pictures are taught: all that lie outside of a test part.

    Nothing calibrates. A test picture that is equal to a taught one to the byte is known, and has no role.

    Args:
        dataset: Names, labels, splits and groups.
        contents: Content hash of each picture.
        seed: Nothing is drawn; the split says it for whoever draws later.
    """
    fit = [i for i, split in enumerate(dataset.splits) if split != "test"]
    known = {contents[i] for i in fit}
    test = [i for i, split in enumerate(dataset.splits) if split == "test" and contents[i] not in known]
    return Split(
        np.array(fit, dtype=np.int64),
        np.empty(0, np.int64),
        np.array(test, dtype=np.int64),
        carved=(),
        seed=seed,
        fingerprint=fingerprint(dataset.sources, dataset.truths, contents),
        units=unit_of_each(dataset, {i: content for i, content in enumerate(contents) if content}),
        digest=_digest([contents[i] for i in fit], [], [contents[i] for i in test]),
    )


def with_fit(split: Split, fit: NDArray[np.int64], inventory: Inventory) -> Split:
    """Return the split with these pictures to learn from, and the digest that goes with them."""
    hashes = ([inventory.sha256[i] for i in indices] for indices in (fit, split.calib, split.test))
    return replace(split, fit=fit, digest=_digest(*hashes))


def only_good(split: Split, dataset: Dataset, inventory: Inventory) -> Split:
    """Return the split in which nothing is learned from defective pictures, nor decided by them.

    All of them measure: those that would have had another role, too.

    Args:
        split: Of the data.
        dataset: With the task `defect`: label 0 is good.
        inventory: Content hashes.

    Raises:
        DataError: `no_good_parts`: no good picture is there to learn from.
    """
    good = dataset.labels == 0
    fit, calib = (indices[good[indices]] for indices in (split.fit, split.calib))
    if not len(fit):
        raise DataError(
            f"{dataset.path} has no good picture to learn from",
            code="no_good_parts",
            hint="name the folders of good parts with --good",
            path=dataset.path,
        )
    moved = (indices[~good[indices]] for indices in (split.fit, split.calib))
    test = np.sort(np.concatenate([split.test, *moved]))
    hashes = ([inventory.sha256[i] for i in indices] for indices in (fit, calib, test))
    return replace(split, fit=fit, calib=calib, test=test, digest=_digest(*hashes))


def from_json(document: Mapping[str, Any], dataset: Dataset, *, fingerprint: str) -> Split:
    """Return the saved split of the same data.

    Args:
        document: What `to_json` returned.
        dataset: The data.
        fingerprint: Of the data as they are now.

    Raises:
        DataError: `split_mismatch`: the data are not those it was made for.
    """
    # A class without pictures does not change the fingerprint, but does change what the network answers.
    classes = document.get("classes", list(dataset.classes))  # runs of version 0.1.0 do not name them
    known = document.get("schema") == SCHEMA and document.get("fingerprint") == fingerprint
    if not known or classes != list(dataset.classes):
        raise DataError(
            f"{dataset.path} is not the data this split was made for, or has changed since",
            code="split_mismatch",
            hint="restore the data, or train anew",
            path=dataset.path,
        )
    index = {source: i for i, source in enumerate(dataset.sources)}
    fit, calib, test = (np.array([index[s] for s, _ in document[role]], dtype=np.int64) for role in ROLES)
    units = np.arange(len(dataset), dtype=np.int64)
    for names in document.get("together", ()):  # runs of version 0.2.0 do not tell
        units[[index[name] for name in names]] = index[names[0]]
    carved, seed = tuple(document["carved"]), document["seed"]
    return Split(fit, calib, test, carved, seed, fingerprint, units, saved_digest(document))


def hashes_of(document: Mapping[str, Any], role: str) -> Mapping[str, str]:
    """Return the content hashes of a role in a saved split, each with the name it had there."""
    return {content: source for source, content in document[role]}


def saved_digest(document: Mapping[str, Any]) -> str:
    """Return the digest of a saved split."""
    return _digest(*([content for _, content in document[role]] for role in ROLES))


def _digest(*roles: Sequence[str]) -> str:
    """Return the sha256 over the content hashes of fit, calib and test, whatever their order."""
    text = "\n\n".join("\n".join(sorted(hashes)) for hashes in roles)
    return sha256(text.encode("ascii")).hexdigest()


def _carve(
    dataset: Dataset, inventory: Inventory, pool: Sequence[int], carved: Sequence[str], seed: int
) -> dict[int, str]:
    units = _units(dataset, {i: inventory.sha256[i] for i in pool})
    by_class: dict[int, dict[int, Unit]] = defaultdict(dict)
    for unit in units:
        labels = Counter(int(dataset.labels[i]) for i in unit)
        most = max(labels, key=lambda label: (labels[label], -label))
        key = seed_for(seed, "split", min(inventory.sha256[i] for i in unit))
        by_class[most][key] = unit
    roles: dict[int, str] = {}
    for keyed in by_class.values():
        roles |= _deal([keyed[key] for key in sorted(keyed)], carved)
    for unit in _needed_to_fit(dataset, units, roles):
        for i in unit:
            roles.pop(i, None)
    return roles


def unit_of_each(dataset: Dataset, contents: Mapping[int, str]) -> NDArray[np.int64]:
    """Return for each picture the first one that it belongs together with, by group or by identical bytes.

    Args:
        dataset: Gives the groups.
        contents: Content hashes of the pictures in question, by index; others stand alone.

    Returns:
        Indices into the data set, int64 (N,).
    """
    first = np.arange(len(dataset), dtype=np.int64)
    for unit in _units(dataset, contents):
        first[unit] = min(unit)
    return first


def _units(dataset: Dataset, contents: Mapping[int, str]) -> list[Unit]:
    """Return what must stay together: pictures linked by a common group or by identical bytes.

    Args:
        dataset: Gives the groups.
        contents: Content hashes of the pictures in question, by index.
    """
    names = [list(contents.values())]
    if dataset.groups is not None:
        names.append([dataset.groups[i] for i in contents])
    units: dict[int, Unit] = defaultdict(list)
    for i, first in zip(contents, linked(*names), strict=True):
        units[first].append(i)
    return list(units.values())


def _deal(units: list[Unit], carved: Sequence[str]) -> dict[int, str]:
    """Give whole units of one class away until each carved role has about its share."""
    target = max(1, round(CARVED_SHARE * sum(map(len, units))))
    roles: dict[int, str] = {}
    for place, role in enumerate(carved):
        later = len(carved) - place  # one unit stays for each later role, and one for fit
        spare = max(len(units) - later, min(1, len(units) - 1))
        roles |= {i: role for unit in _about(units, target, at_most=spare) for i in unit}
        units = [unit for unit in units if unit[0] not in roles]
    return roles


def _about(units: list[Unit], target: int, *, at_most: int) -> list[Unit]:
    """Return units, in order, whose pictures number about `target`; at least one unit where allowed."""
    chosen: list[Unit] = []
    have = 0
    for unit in units:
        if len(chosen) >= at_most or have >= target:
            break
        if abs(have + len(unit) - target) <= abs(have - target):
            chosen.append(unit)
            have += len(unit)
    if not chosen and at_most > 0:
        chosen.append(min(units, key=len))
    return chosen


def _needed_to_fit(dataset: Dataset, units: Sequence[Unit], roles: Mapping[int, str]) -> Iterator[Unit]:
    """Yield units to take back: a group that spans classes may have taken the last picture of one."""
    present = {int(dataset.labels[i]) for unit in units for i in unit if i not in roles}
    for unit in units:
        labels = {int(label) for label in dataset.labels[unit]}
        if not labels <= present:
            present |= labels
            yield unit

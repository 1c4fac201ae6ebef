"""data.subset: nested, stratified, whole units; calib and test are left alone."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from foveal.core.errors import UsageError
from foveal.data import inventory as inventories
from foveal.data import split as splits
from foveal.data.dataset import Dataset
from foveal.data.pictures import RawPicture
from foveal.data.subset import subset


def prepared(counts: dict[str, int], *, group_of: int = 0, seed: int = 0):
    """Return data set, inventory and split of tiny pictures that all differ; groups of `group_of`."""
    names = [name for name, count in counts.items() for _ in range(count)]
    classes = tuple(sorted(counts))
    pixels = np.arange(len(names) * 4, dtype=np.uint32).view(np.uint8).reshape(len(names), 4, 4, 1)
    dataset = Dataset(
        format="test",
        path=Path("somewhere"),
        classes=classes,
        sources=tuple(f"{i}.png" for i in range(len(names))),
        labels=np.array([classes.index(name) for name in names], np.int64),
        splits=("",) * len(names),
        read=lambda i: RawPicture(pixels[i]),
        groups=tuple(f"{name}{i // group_of}" for i, name in enumerate(names)) if group_of else None,
    )
    inventory = inventories.take(dataset)
    return dataset, inventory, splits.make(dataset, inventory, seed=seed)


def test_classes_keep_their_shares() -> None:
    dataset, inventory, split = prepared({"a": 200, "b": 100})

    found = subset(split, dataset, inventory, images=60)

    counts = Counter(dataset.labels[found.fit].tolist())
    assert counts == {0: 40, 1: 20}


def test_a_smaller_subset_is_part_of_a_larger_one_and_all_of_fit() -> None:
    dataset, inventory, split = prepared({"a": 90, "b": 50, "c": 10})

    parts = [set(subset(split, dataset, inventory, images=n).fit.tolist()) for n in (3, 10, 40, 80)]

    assert all(
        small < large for small, large in zip(parts, [*parts[1:], set(split.fit.tolist())], strict=True)
    )


def test_calib_and_test_stay_and_the_digest_tells_the_difference() -> None:
    dataset, inventory, split = prepared({"a": 60, "b": 60})

    found = subset(split, dataset, inventory, images=20)

    assert np.array_equal(found.calib, split.calib)
    assert np.array_equal(found.test, split.test)
    assert found.digest != split.digest
    restored = splits.from_json(
        found.to_json(dataset, inventory.sha256), dataset, fingerprint=split.fingerprint
    )
    assert np.array_equal(restored.fit, found.fit)
    assert restored.digest == found.digest


def test_what_belongs_together_stays_together() -> None:
    dataset, inventory, split = prepared({"a": 120, "b": 120}, group_of=6)

    found = subset(split, dataset, inventory, images=50)

    kept = set(found.fit.tolist())
    for index in kept:
        together = {i for i in split.fit.tolist() if split.units[i] == split.units[index]}
        assert together <= kept
    assert 40 <= len(kept) <= 60


def test_every_class_keeps_a_picture_and_fewer_than_that_is_refused() -> None:
    dataset, inventory, split = prepared({"a": 100, "b": 3, "c": 3})

    assert set(dataset.labels[subset(split, dataset, inventory, images=3).fit].tolist()) == {0, 1, 2}
    with pytest.raises(UsageError, match="fewer than the 3 classes"):
        subset(split, dataset, inventory, images=2)


def test_as_many_as_there_are_change_nothing() -> None:
    dataset, inventory, split = prepared({"a": 20, "b": 20})

    assert subset(split, dataset, inventory, images=len(split.fit)) is split


def test_another_seed_takes_other_pictures() -> None:
    first, second = (prepared({"a": 80, "b": 80}, seed=seed) for seed in (0, 1))

    parts = [
        set(subset(split, data, inventory, images=20).fit.tolist())
        for data, inventory, split in (first, second)
    ]

    assert parts[0] != parts[1]

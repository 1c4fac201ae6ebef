"""data.class_split: no class on two sides, and what belongs together stays together."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foveal.core.errors import DataError
from foveal.data import class_split
from foveal.data.dataset import Dataset


def dataset(classes, labels, splits=None) -> Dataset:
    return Dataset(
        format="npz",
        path=Path("data"),
        classes=tuple(classes),
        sources=tuple(f"#{i}" for i in range(len(labels))),
        labels=np.array(labels),
        splits=tuple(splits or [""] * len(labels)),
        read=lambda i: None,  # type: ignore[arg-type, return-value]  # nothing is read
    )


def make(data: Dataset, hashes=None, **given):
    hashes = hashes or [f"h{i}" for i in range(len(data))]
    return class_split.make(
        data, hashes, **{"fingerprint": "f", "share": 0.15, "least": 5, "seed": 0, **given}
    )


def classes(data: Dataset, split, role: str) -> set[str]:
    return set(class_split.classes_of(data, split.role(role)))


@given(count=st.integers(15, 60), seed=st.integers(0, 1000), alphabets=st.integers(1, 8))
def test_roles_share_no_class_and_no_alphabet_and_lose_no_picture(count, seed, alphabets):
    names = [f"{k % alphabets}/{k:02d}" for k in range(count)]
    data = dataset(names, np.arange(count).repeat(3).tolist())

    split = make(data, seed=seed)

    roles = [classes(data, split, role) for role in class_split.ROLES]
    assert sum(map(len, roles)) == len(set.union(*roles)) == count
    assert len(roles[0]) >= 5
    assert all(len(role) == 0 or len(role) >= 5 for role in roles)
    if alphabets > 1:
        whole = [{name.partition("/")[0] for name in role} for role in roles]
        assert sum(map(len, whole)) == len(set.union(*whole))


def test_plain_classes_are_drawn_by_the_seed_and_about_as_many_as_asked_for():
    data = dataset([f"c{k:02d}" for k in range(60)], np.arange(60).repeat(2).tolist())

    one, again, other = make(data), make(data), make(data, seed=1)

    assert [len(classes(data, one, role)) for role in class_split.ROLES] == [42, 9, 9]
    assert np.array_equal(one.test, again.test)
    assert not np.array_equal(one.test, other.test)
    assert [len(make(data, share=0.0).role(role)) for role in class_split.ROLES] == [120, 0, 0]


def test_classes_that_share_a_picture_stay_on_one_side():
    data = dataset([f"c{k:02d}" for k in range(40)], np.arange(40).repeat(2).tolist())
    hashes = [f"h{i}" for i in range(80)]
    hashes[1] = hashes[77]  # of the first class and of the last but one

    for seed in range(20):
        split = make(data, hashes, seed=seed)
        assert len({next(r for r in class_split.ROLES if i in split.role(r)) for i in (0, 1, 76, 77)}) == 1


def test_splits_on_disk_with_classes_of_their_own_are_taken_and_others_leave_their_test_alone():
    labels = np.arange(30).repeat(2)
    apart = dataset([f"c{k:02d}" for k in range(30)], labels.tolist(), ["train"] * 40 + ["test"] * 20)
    mixed = dataset([f"c{k:02d}" for k in range(30)], labels.tolist(), ["train", "test"] * 30)

    split, other = make(apart), make(mixed)

    assert split.by == "split"
    assert (split.fit.tolist(), split.test.tolist()) == (list(range(40)), list(range(40, 60)))
    assert other.by == "class"
    assert not set(np.concatenate([other.fit, other.calib, other.test])) & set(range(1, 60, 2))


def test_unreadable_pictures_have_no_role_and_too_few_classes_are_refused():
    data = dataset([f"c{k}" for k in range(20)], np.arange(20).repeat(2).tolist())
    hashes = [f"h{i}" for i in range(40)]
    hashes[7] = ""

    split = make(data, hashes)

    assert 7 not in np.concatenate([split.fit, split.calib, split.test])
    with pytest.raises(DataError, match="tasks of 50 classes") as caught:
        make(data, least=50)
    assert caught.value.code == "too_few_classes"
    with pytest.raises(DataError) as caught:
        make(data, [""] * 40)
    assert caught.value.code == "no_training_images"


def test_what_is_saved_is_read_again_and_only_for_the_same_data():
    data = dataset([f"c{k}" for k in range(20)], np.arange(20).repeat(2).tolist())
    split = make(data)
    saved = split.to_json(data, [f"h{i}" for i in range(40)])

    again = class_split.from_json(saved, data, fingerprint="f")

    assert all(np.array_equal(again.role(role), split.role(role)) for role in class_split.ROLES)
    with pytest.raises(DataError) as caught:
        class_split.from_json(saved, data, fingerprint="other")
    assert caught.value.code == "split_mismatch"

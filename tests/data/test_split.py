"""data.split: every picture has one role, groups stay whole, classes are stratified, test is sacred."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foveal.core.errors import DataError, ImageError
from foveal.data import split as splits
from foveal.data.dataset import Dataset
from foveal.data.fingerprint import fingerprint
from foveal.data.inventory import Inventory
from foveal.data.pictures import RawPicture
from foveal.data.split import ROLES, Split

Row = tuple[str, str, str, str]  # split, class, content, group


def made_of(rows: list[Row], *, unreadable: frozenset[int] = frozenset()) -> tuple[Dataset, Inventory]:
    classes = tuple(sorted({row[1] for row in rows}))
    groups = tuple(row[3] for row in rows)
    dataset = Dataset(
        format="test",
        path=Path("somewhere"),
        classes=classes,
        sources=tuple(f"{i}.png" for i in range(len(rows))),
        labels=np.array([classes.index(row[1]) for row in rows], np.int64),
        splits=tuple(row[0] for row in rows),
        read=lambda i: RawPicture(np.zeros((1, 1, 1), np.uint8)),
        groups=groups if any(groups) else None,
    )
    contents = tuple(row[2] for row in rows)
    zeros = np.zeros(len(rows), np.int32)
    inventory = Inventory(
        sha256=contents,
        width=zeros,
        height=zeros,
        format=("PNG",) * len(rows),
        mode=("RGB",) * len(rows),
        brightest=np.zeros(len(rows), np.uint8),
        error=tuple(ImageError("bad") if i in unreadable else None for i in range(len(rows))),
        fingerprint=fingerprint(dataset.sources, [row[1] for row in rows], contents),
    )
    return dataset, inventory


def singles(counts: dict[str, int], split: str = "") -> list[Row]:
    return [(split, name, f"{name}{split}{i}", "") for name, count in counts.items() for i in range(count)]


def make(rows: list[Row], seed: int = 0) -> Split:
    return splits.make(*made_of(rows), seed=seed)


def of_class(split: Split, role: str, rows: list[Row]) -> Counter[str]:
    return Counter(rows[i][1] for i in split.role(role))


@given(
    counts=st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 60), min_size=1), seed=st.integers(0, 99)
)
def test_carved_roles_are_disjoint_complete_and_stratified(counts: dict[str, int], seed: int) -> None:
    rows = singles(counts)

    split = make(rows, seed)

    everyone = np.concatenate([split.fit, split.calib, split.test])
    assert sorted(everyone.tolist()) == list(range(len(rows)))
    assert split.carved == ("test", "calib")
    for name, count in counts.items():
        assert of_class(split, "fit", rows)[name] >= 1
        for role in ("calib", "test"):
            if count >= 3:
                assert abs(of_class(split, role, rows)[name] - max(1, 0.15 * count)) <= 1
                assert of_class(split, role, rows)[name] >= 1


@pytest.mark.parametrize(
    ("count", "expected"), [(1, (1, 0, 0)), (2, (1, 0, 1)), (3, (1, 1, 1)), (20, (14, 3, 3))]
)
def test_small_classes_get_as_many_roles_as_they_can(count: int, expected: tuple[int, int, int]) -> None:
    split = make(singles({"a": count, "b": 50}))

    assert tuple(int((split.role(role) < count).sum()) for role in ROLES) == expected


@given(
    rows=st.lists(
        st.tuples(
            st.just(""), st.sampled_from("abc"), st.integers(0, 15).map(str), st.sampled_from(["", *"uvwxyz"])
        ),
        min_size=1,
        max_size=60,
    ),
    seed=st.integers(0, 9),
)
def test_groups_and_identical_pictures_stay_together(rows: list[Row], seed: int) -> None:
    rows = [(s, name, content, group or f"alone {i}") for i, (s, name, content, group) in enumerate(rows)]

    split = make(rows, seed)

    role = {int(i): name for name in ROLES for i in split.role(name)}
    assert sorted(role) == list(range(len(rows)))
    for column in (2, 3):
        seen: dict[str, str] = {}
        for i, row in enumerate(rows):
            assert seen.setdefault(row[column], role[i]) == role[i]
    assert {rows[i][1] for i in split.fit} == {row[1] for row in rows}


def test_groups_are_dealt_out_by_number_of_pictures() -> None:
    rows = [("", "a", f"a{i}", f"track {i // 10}") for i in range(400)]

    split = make(rows)

    assert (len(split.calib), len(split.test)) == (60, 60)


def test_a_group_larger_than_a_role_is_not_taken_for_it() -> None:
    rows = [("", "a", f"a{i}", "large" if i < 90 else f"small {i}") for i in range(100)]

    split = make(rows)

    assert set(range(90)) <= set(split.fit.tolist())
    assert len(split.test) > 0
    assert len(split.calib) > 0


def test_when_all_groups_are_large_the_smallest_is_taken() -> None:
    rows = [("", "a", f"a{i}", "one" if i < 35 else "two" if i < 69 else "three") for i in range(102)]

    split = make(rows)

    assert split.test.tolist() == list(range(69, 102))
    assert split.calib.tolist() == list(range(35, 69))


def test_existing_roles_are_left_as_they_are() -> None:
    rows = singles({"a": 20, "b": 20}, "train") + singles({"a": 5, "b": 5}, "val") + singles({"a": 7}, "test")

    split = make(rows)

    assert split.fit.tolist() == list(range(40))
    assert split.calib.tolist() == list(range(40, 50))
    assert split.test.tolist() == list(range(50, 57))
    assert split.carved == ()


@pytest.mark.parametrize(("given", "carved"), [("test", "calib"), ("val", "test")])
def test_only_the_missing_role_is_carved_and_only_from_train(given: str, carved: str) -> None:
    rows = singles({"a": 40, "b": 20}, "train") + singles({"a": 10, "b": 10}, given)

    split = make(rows)

    assert split.carved == (carved,)
    assert of_class(split, carved, rows) == {"a": 6, "b": 3}
    assert set(split.role(carved).tolist()) <= set(range(60))
    assert split.role({"test": "test", "val": "calib"}[given]).tolist() == list(range(60, 80))


def test_copies_of_test_pictures_in_train_are_not_moved() -> None:
    rows = [*singles({"a": 20}, "train"), ("train", "a", "same", ""), ("test", "a", "same", "")]

    split = make(rows)

    assert split.test.tolist() == [21]
    assert 20 in {*split.fit.tolist(), *split.calib.tolist()}


def test_unreadable_pictures_have_no_role() -> None:
    rows = singles({"a": 10, "b": 10})
    split = splits.make(*made_of(rows, unreadable=frozenset({0, 15})), seed=0)

    everyone = set(np.concatenate([split.fit, split.calib, split.test]).tolist())
    assert everyone == set(range(20)) - {0, 15}


@pytest.mark.parametrize(
    "rows", [[], singles({"a": 3}, "test"), singles({"a": 3}, "val") + singles({"a": 2}, "test")]
)
def test_without_training_pictures_there_is_no_split(rows: list[Row]) -> None:
    assert not splits.can_train(*made_of(rows))
    with pytest.raises(DataError, match="no readable picture to train on") as raised:
        make(rows)
    assert raised.value.code == "no_training_images"


@given(order=st.permutations(range(30)), seed=st.integers(0, 5))
def test_the_order_of_the_files_does_not_matter(order: list[int], seed: int) -> None:
    rows = singles({"a": 20, "b": 10})
    shuffled = [rows[i] for i in order]

    first, second = make(rows, seed), make(shuffled, seed)

    for role in ROLES:
        assert {rows[i] for i in first.role(role)} == {shuffled[i] for i in second.role(role)}


def test_another_seed_is_another_split_and_the_same_is_the_same() -> None:
    rows = singles({"a": 40})

    assert make(rows, 1).test.tolist() == make(rows, 1).test.tolist()
    assert make(rows, 1).test.tolist() != make(rows, 2).test.tolist()


def test_another_class_moves_no_picture_of_this_one() -> None:
    rows, more = singles({"b": 40}), singles({"a": 17, "b": 40, "c": 9})

    before, after = make(rows), make(more)

    for role in ROLES:
        assert {rows[i] for i in before.role(role)} == {
            more[i] for i in after.role(role) if more[i][1] == "b"
        }


def test_one_more_picture_moves_few_others() -> None:
    rows = singles({"a": 100})
    more = [*rows, ("", "a", "one more", "")]

    before, after = make(rows), make(more)

    for role in ROLES:
        changed = set(before.role(role).tolist()) ^ set(after.role(role).tolist())
        assert len(changed - {100}) <= 2


def test_a_saved_split_is_found_again() -> None:
    dataset, inventory = made_of(singles({"a": 20, "b": 12}))
    split = splits.make(dataset, inventory, seed=3)

    document = json.loads(json.dumps(split.to_json(dataset, inventory.sha256)))
    again = splits.from_json(document, dataset, fingerprint=inventory.fingerprint)

    assert document["schema"] == "foveal.split/1"
    assert document["seed"] == 3
    for role in ROLES:
        assert np.array_equal(again.role(role), split.role(role))
    assert (again.carved, again.seed, again.fingerprint) == (split.carved, 3, inventory.fingerprint)


def test_a_saved_split_of_other_data_is_refused() -> None:
    dataset, inventory = made_of(singles({"a": 20}))
    document = splits.make(dataset, inventory, seed=0).to_json(dataset, inventory.sha256)

    with pytest.raises(DataError, match="not the data this split was made for") as raised:
        splits.from_json(document, dataset, fingerprint=made_of(singles({"a": 21}))[1].fingerprint)
    assert raised.value.code == "split_mismatch"
    with pytest.raises(DataError, match="not the data"):
        splits.from_json({**document, "schema": "other"}, dataset, fingerprint=inventory.fingerprint)


def test_a_saved_split_of_other_classes_is_refused() -> None:
    dataset, inventory = made_of(singles({"a": 20, "b": 12}))
    document = json.loads(
        json.dumps(splits.make(dataset, inventory, seed=0).to_json(dataset, inventory.sha256))
    )
    more = replace(dataset, classes=("a", "b", "empty"))

    with pytest.raises(DataError, match="has changed since") as raised:
        splits.from_json(document, more, fingerprint=inventory.fingerprint)
    assert raised.value.code == "split_mismatch"


def test_a_saved_split_of_a_version_that_named_no_classes_is_read() -> None:
    dataset, inventory = made_of(singles({"a": 20, "b": 12}))
    document = splits.make(dataset, inventory, seed=0).to_json(dataset, inventory.sha256)
    del document["classes"]

    assert splits.from_json(document, dataset, fingerprint=inventory.fingerprint).seed == 0


def test_pictures_that_were_learned_from_are_known_by_content() -> None:
    dataset, inventory = made_of(singles({"a": 20}))
    split = splits.make(dataset, inventory, seed=0)

    known = splits.hashes_of(split.to_json(dataset, inventory.sha256), "fit")

    assert set(known) == {inventory.sha256[i] for i in split.fit}
    assert known[inventory.sha256[split.fit[0]]] == dataset.sources[split.fit[0]]


def test_who_belongs_together_is_told_and_is_the_same_from_the_saved_split() -> None:
    rows = [("", "a", f"a{i}", f"track {i // 3}") for i in range(60)]
    rows += [("val", "a", "copied", f"alone {i}") for i in range(4)] + [("val", "a", "other", "alone 9")]
    dataset, inventory = made_of(rows)

    split = splits.make(dataset, inventory, seed=0)

    assert (split.units[:60] == np.arange(60) // 3 * 3).all()
    assert (split.units[60:] == [60, 60, 60, 60, 64]).all()
    assert (len(split.calib), split.independent("calib")) == (5, 2)
    saved = json.loads(json.dumps(split.to_json(dataset, inventory.sha256)))
    without_table = replace(dataset, groups=None)
    again = splits.from_json(saved, without_table, fingerprint=inventory.fingerprint)
    assert (again.units == split.units).all(), "a run keeps what it started with"

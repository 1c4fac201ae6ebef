"""data.formats.npz: arrays as pictures, files as splits, groups from keys, and hostile files refused."""

import contextlib
import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foveal.core.errors import DataError, UsageError
from foveal.data import inventory as inventories
from foveal.data import opening
from foveal.data import split as splits
from foveal.data.npy import read_npy

RNG = np.random.default_rng(0)


def pictures(n: int = 12, side: int = 8, channels: int = 3):
    return RNG.integers(0, 256, (n, side, side, channels), dtype=np.uint8)


def write(folder: Path, name: str = "set.npz", **arrays) -> Path:
    folder.mkdir(exist_ok=True)
    np.savez(folder / name, **arrays)
    return folder / name


def test_pictures_labels_and_names_are_those_of_the_arrays(tmp_path: Path) -> None:
    images, labels = pictures(), np.arange(12) % 3
    write(tmp_path, images=images, labels=labels, class_names=np.array(["a", "b", "c", "never"]))

    dataset = opening.open(tmp_path)

    assert (dataset.format, dataset.classes, dataset.split_names) == ("npz", ("a", "b", "c", "never"), ())
    assert np.array_equal(dataset.labels, labels)
    assert all(np.array_equal(dataset[i].picture.decode(3), images[i]) for i in range(12))
    assert dataset.sources[5] == "set.npz#5"


def test_files_are_splits_by_a_word_of_their_name(tmp_path: Path) -> None:
    for name, count in (("mini_train.npz", 6), ("mini-test.npz", 4), ("mini.VAL.npz", 2)):
        write(tmp_path, name, images=pictures(count), labels=np.zeros(count, int))

    dataset = opening.open(tmp_path)

    assert [dataset.splits.count(name) for name in ("train", "val", "test")] == [6, 2, 4]
    assert len(opening.open(tmp_path / "mini-test.npz")) == 4


def test_one_file_may_hold_all_splits_as_keras_has_them(tmp_path: Path) -> None:
    grey = pictures(channels=1)[..., 0]
    write(
        tmp_path,
        x_train=grey[:8],
        y_train=np.arange(8)[:, None] % 2,
        x_test=grey[8:],
        y_test=np.arange(4) % 2,
    )

    dataset = opening.open(tmp_path / "set.npz")

    assert dataset.split_names == ("train", "test")
    assert dataset[0].picture.header().channels == 1
    assert dataset.labels.tolist() == [0, 1] * 6


def test_labels_may_be_names(tmp_path: Path) -> None:
    write(tmp_path, images=pictures(3), labels=np.array(["dent", "ok", "dent"]))

    dataset = opening.open(tmp_path)

    assert dataset.classes == ("dent", "ok")
    assert dataset.labels.tolist() == [0, 1, 0]


def test_column_order_and_strings_of_other_kinds_are_read_alike(tmp_path: Path) -> None:
    images = pictures(6)
    write(tmp_path, images=np.asfortranarray(images), labels=np.array([b"x", b"y"] * 3))

    dataset = opening.open(tmp_path)

    assert dataset.classes == ("x", "y")
    assert all(np.array_equal(dataset[i].picture.decode(3), images[i]) for i in range(6))


def test_a_known_key_keeps_together_without_being_asked_and_keys_may_be_joined(tmp_path: Path) -> None:
    track, labels = np.arange(12) // 4, np.arange(12) % 2
    write(tmp_path, images=pictures(), labels=labels, track=track, lux=np.arange(12))

    plain, both = opening.open(tmp_path), opening.open(tmp_path, group="labels+track")

    assert (plain.grouped_by, plain.not_grouped_by) == (("track",), ("lux",))
    assert len(set(plain.groups or ())) == 3
    assert len(set(both.groups or ())) == 6
    with pytest.raises(UsageError, match="has no 'nix' to group by; it has: 'labels', 'lux', 'track'"):
        opening.open(tmp_path, group="nix")


@pytest.mark.parametrize("group", [None, "labels+track"])
def test_frames_of_one_sign_never_cross_a_split(shared: Path, group: str | None) -> None:
    dataset = opening.open(shared / "data" / "gtsrb", group=group)
    arrays = np.load(shared / "data" / "gtsrb" / "gtsrb32_train.npz")
    sign = list(zip(arrays["labels"].tolist(), arrays["track"].tolist(), strict=True))

    for seed in range(3):
        split = splits.make(dataset, inventories.take(dataset), seed=seed)

        sides = [{sign[i] for i in part.tolist() if i < len(sign)} for part in (split.fit, split.calib)]
        assert sides[0]
        assert sides[1]
        assert not sides[0] & sides[1]
        assert {dataset.splits[i] for i in split.test} == {"test"}


def evil(dtype: str, shape: tuple[int, ...], body: bytes) -> bytes:
    header = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape!r}, }}".encode()
    header += b" " * (63 - (10 + len(header)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + body


def forged(header: str) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()


def packed(folder: Path, **members: bytes) -> Path:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    (folder / "set.npz").write_bytes(file.getvalue())
    return folder


LABELS = evil("<i8", (2,), bytes(16))
PIXELS = evil("|u1", (2, 1, 1), bytes(2))


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"images": evil("|O", (2,), pickle.dumps([1, 2])), "labels": LABELS}, "Python objects"),
        ({"images": evil("|u1", (2, 999, 999, 3), b"xx"), "labels": LABELS}, "announces"),
        ({"images": evil("<f8", (2, 1, 1, 1), bytes(16)), "labels": LABELS}, "float64, not uint8"),
        ({"images": evil("|u1", (2, 3, 8, 8), bytes(384)), "labels": LABELS}, "channels first"),
        ({"images": evil("|u1", (2, 2, 2, 40), bytes(320)), "labels": LABELS}, "40 channels"),
        ({"images": evil("|u1", (2, 0, 4), b""), "labels": LABELS}, "shape"),
        ({"images": b"no array", "labels": LABELS}, "is no array"),
        ({"images": evil("|u1", (-2, -1, 1, 1), bytes(2)), "labels": LABELS}, "its shape is"),
        ({"images": evil("|u1", (2, 1, 1), bytes(2)), "labels": evil("<U0", (2,), b"")}, "no length"),
        ({"images": evil("|V0", (2, 1, 1), b""), "labels": LABELS}, "no length"),
        ({"images": evil("a1", (2, 1, 1), b"ab"), "labels": LABELS}, "neither numbers nor text"),
        ({"images": forged("(" * 4000), "labels": LABELS}, "header cannot be read"),
        (
            {"images": forged("{'descr': '|u1', 'fortran_order': False, 'shape': (2L,)}"), "labels": LABELS},
            "read",
        ),
        ({"images": forged(" " * 20_000), "labels": LABELS}, "header is too long"),
        ({"images": forged("[]"), "labels": LABELS}, "says something else"),
        (
            {"images": evil("|u1", (2, 1, 1), bytes(2)), "labels": evil("<U1", (2,), bytes(8))},
            "an empty label",
        ),
        ({"images": evil("|u1", (2, 1, 1), bytes(2)), "labels": LABELS, "y": LABELS}, "'labels' and 'y'"),
        ({"labels": LABELS}, "no array 'images'; it has labels"),
        ({"images": evil("|u1", (2, 1, 1), bytes(2))}, "no array 'labels'"),
        ({"images": evil("|u1", (2, 1, 1), bytes(2)), "labels": evil("<f8", (2,), bytes(16))}, "labels are"),
    ],
)
def test_what_is_no_labelled_picture_is_refused_and_nothing_is_unpickled(
    tmp_path: Path, members, said: str
) -> None:
    with pytest.raises(DataError, match=said) as caught:
        opening.open(packed(tmp_path, **members))

    assert caught.value.code == "bad_npz"


def test_counts_that_differ_and_labels_without_name_are_refused(tmp_path: Path) -> None:
    write(tmp_path, images=pictures(3), labels=np.arange(2))
    with pytest.raises(DataError, match="3 pictures and 2 labels"):
        opening.open(tmp_path)
    write(tmp_path, images=pictures(3), labels=np.arange(3), class_names=np.array(["a", "b"]))
    with pytest.raises(DataError, match="label 2 has no name"):
        opening.open(tmp_path)


def test_files_that_could_be_the_same_split_are_refused(tmp_path: Path) -> None:
    for name in ("a_train.npz", "b_train.npz"):
        write(tmp_path, name, images=pictures(2), labels=np.arange(2))

    with pytest.raises(DataError, match="several files for train"):
        opening.open(tmp_path)


def test_a_bomb_is_refused_before_it_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from foveal.data.formats import _npz_parts as module

    monkeypatch.setattr(module, "_MOST_BYTES", 100_000)

    with pytest.raises(DataError, match="more than"):
        opening.open(packed(tmp_path, images=evil("|u1", (2, 1000, 1000), bytes(2_000_000)), labels=LABELS))


def test_a_cut_file_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, images=pictures(), labels=np.arange(12))
    path.write_bytes(path.read_bytes()[:-200])

    with pytest.raises(DataError, match="no readable zip") as caught:
        opening.open(path)

    assert caught.value.code == "archive_corrupt"


@given(content=st.binary(max_size=300), place=st.integers(0, 90))
def test_any_bytes_are_an_array_or_a_value_error(content: bytes, place: int) -> None:
    whole = evil("|u1", (2, 3), bytes(6))

    for data in (b"\x93NUMPY\x01\x00" + content, whole[:place] + content[:4] + whole[place + 4 :]):
        with contextlib.suppress(ValueError):
            assert read_npy(data).nbytes <= len(data)


@given(
    shape=st.lists(st.integers(0, 4), max_size=4),
    kind=st.sampled_from(["u1", "<i8", ">i4", "<U3", "f4", "b1"]),
)
def test_what_numpy_saves_is_what_is_read(shape: list[int], kind: str) -> None:
    for array in (np.ones(shape, kind), np.asfortranarray(np.ones(shape, kind))):
        file = io.BytesIO()
        np.save(file, array)

        found = read_npy(file.getvalue())

        assert (found.dtype, found.shape) == (array.dtype, array.shape)
        assert np.array_equal(found, array)


def test_an_array_shares_the_memory_of_its_file_and_cannot_be_written_to() -> None:
    data = evil("|u1", (2, 3), bytes(6))

    found = read_npy(data)

    assert np.shares_memory(found, np.frombuffer(data, dtype=np.uint8))
    assert not found.flags.writeable


@pytest.mark.parametrize(
    ("member", "code"), [("../labels.npy", "archive_unsafe"), ("Images.npy", "archive_unsafe")]
)
def test_members_that_lead_outside_or_clash_are_refused(tmp_path: Path, member: str, code: str) -> None:
    write(tmp_path, images=pictures(2), labels=np.arange(2))
    with zipfile.ZipFile(tmp_path / "set.npz", "a") as file:
        file.writestr(member, LABELS)

    with pytest.raises(DataError) as caught:
        opening.open(tmp_path)

    assert caught.value.code == code


def test_a_damaged_member_is_refused_however_it_is_packed(tmp_path: Path) -> None:
    for kind in (zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2, zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(tmp_path / "set.npz", "w", kind) as file:
            file.writestr("images.npy", evil("|u1", (2, 30, 30), bytes(range(200)) * 9))
        content = bytearray((tmp_path / "set.npz").read_bytes())
        content[52:64] = b"\xff" * 12
        (tmp_path / "set.npz").write_bytes(content)

        with pytest.raises(DataError, match="cannot be read") as caught:
            opening.open(tmp_path)
        assert caught.value.code == "bad_npz"


@pytest.mark.parametrize("key", ["x_{}", "{}_images"])
def test_keys_of_splits_bring_their_groups_and_what_is_not_used_is_named(tmp_path: Path, key: str) -> None:
    label = {"x_{}": "y_{}", "{}_images": "{}_labels"}[key]
    arrays = {key.format(s): pictures(3) for s in ("train", "test")}
    arrays |= {label.format(s): np.arange(3) for s in ("train", "test")}

    write(tmp_path, **arrays, track_train=np.array([5, 5, 6]), notes=np.zeros((2, 2)))
    dataset = opening.open(tmp_path)

    assert dataset.splits == ("train",) * 3 + ("test",) * 3
    assert dataset.groups is not None
    assert dataset.groups[:3] == ("group 5", "group 5", "group 6")
    assert all(group.startswith("alone") for group in dataset.groups[3:])
    assert dataset.ignored == ("set.npz: notes",)


def test_a_list_of_groups_counts_beside_a_file_that_is_named_itself(tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        write(tmp_path, name, images=pictures(3), labels=np.arange(3))
    listed = "picture,group\na.npz#0,7\na.npz#2,7\nb.npz#1,7\n"
    (tmp_path / "groups.csv").write_text(listed, encoding="utf-8")

    assert opening.open(tmp_path / "a.npz").groups == ("group 7", "alone a.npz#1", "group 7")
    for strange in ("a.npz#3,7", "c.npz#1,7", "../b.npz#1,7"):
        (tmp_path / "groups.csv").write_text(f"{listed}{strange}\n", encoding="utf-8")
        with pytest.raises(DataError, match="names no picture"):
            opening.open(tmp_path / "a.npz")


def test_a_name_of_several_splits_is_ambiguous(tmp_path: Path) -> None:
    write(tmp_path, "train_test.npz", images=pictures(2), labels=np.arange(2))

    with pytest.raises(DataError, match="speaks of train and test") as caught:
        opening.open(tmp_path)
    assert caught.value.code == "ambiguous_layout"


def test_an_archive_of_something_else_beside_class_folders_does_not_hide_them(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").write_bytes(b"")
    write(tmp_path, "features.npz", features=np.zeros((2, 8)))

    dataset = opening.open(tmp_path)

    assert (dataset.format, dataset.ignored) == ("image_folder", ("features.npz",))
    write(tmp_path, "digits.npz", images=pictures(2), labels=np.arange(2))
    with pytest.raises(DataError, match="could be image_folder or npz"):
        opening.open(tmp_path)


def test_labels_may_be_called_subject(tmp_path) -> None:
    """As in archives of faces, where a class is a person; beside labels it groups."""
    pixels = np.random.default_rng(0).integers(0, 256, (6, 12, 10), dtype=np.uint8)
    np.savez(tmp_path / "faces.npz", images=pixels, subject=np.array([1, 1, 2, 2, 7, 7]))

    dataset = opening.open(tmp_path)

    assert dataset.classes == ("1", "2", "7")
    assert dataset.labels.tolist() == [0, 0, 1, 1, 2, 2]
    np.testing.assert_array_equal(dataset.read(3).decode(1)[:, :, 0], pixels[3])

    np.savez(tmp_path / "faces.npz", images=pixels, subject=[1, 1, 2, 2, 7, 7], labels=[0, 1, 0, 1, 0, 1])
    smiling = opening.open(tmp_path, group="subject")
    assert smiling.classes == ("0", "1")
    assert smiling.groups is not None
    assert len(set(smiling.groups)) == 3

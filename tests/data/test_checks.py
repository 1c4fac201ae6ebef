"""data.check: each thing that would spoil a result is found, said with numbers, and nothing else is."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveal import data
from foveal.core import catalog
from foveal.core.types import Finding
from foveal.data import checks, inventory
from foveal.data import split as splits
from foveal.data.check import check
from foveal.data.checks.amounts import lowest_recall

Pixels = Callable[..., np.ndarray]
Encode = Callable[..., bytes]
Folder = Callable[..., Path]


def look(root: Path, *, with_split: bool = False) -> dict[str, Finding]:
    """Return the findings by code; several of one code are joined under numbered keys."""
    dataset = data.open(root)
    taken = inventory.take(dataset)
    split = splits.make(dataset, taken, seed=0) if with_split else None
    found: dict[str, Finding] = {}
    for finding in check(dataset, taken, split):
        assert finding.message.endswith((".", "?"))
        assert finding.hint.endswith(".")
        assert len(finding.examples) <= 10
        key = finding.code if finding.code not in found else f"{finding.code} {len(found)}"
        found[key] = finding
    return found


def test_good_data_give_no_finding(folder: Folder) -> None:
    assert look(folder({"train/cat": 3, "train/dog": 3, "test/cat": 2, "test/dog": 2})) == {}


def test_findings_come_with_the_worst_first(folder: Folder) -> None:
    root = folder({"cat": 3, "dog": 3, "emu": 0})
    (root / "notes.txt").write_text("x")
    (root / "stray.png").write_bytes(b"")

    assert [f.severity for f in look(root).values()] == ["error", "warning", "info"]


def test_a_class_missing_in_one_split_names_both(folder: Folder) -> None:
    root = folder({"train/cat": 2, "train/dog": 2, "val/cat": 2, "test/cat": 2, "test/dog": 2})
    (root / "val/dog").mkdir()

    finding = look(root)["class_missing_in_split"]

    assert finding.severity == "error"
    assert finding.count == 1
    assert "val has no pictures of 'dog', which train and test have" in finding.message
    assert finding.examples == ("val/dog",)


def test_a_class_that_only_test_has_is_missing_in_train(folder: Folder) -> None:
    finding = look(folder({"train/cat": 2, "train/dog": 2, "test/cat": 1, "test/dog": 1, "test/emu": 1}))[
        "class_missing_in_split"
    ]

    assert "train has no pictures of 'emu', which test has" in finding.message


def test_names_that_are_nearly_the_same_are_pointed_out(folder: Folder) -> None:
    found = look(folder({"train/Ice Bear": 2, "train/cat": 2, "test/ice_bear": 2, "test/cat": 2}))

    assert "Are 'ice_bear' and 'Ice Bear' the same?" in found["class_missing_in_split"].message + (
        found["class_missing_in_split 1"].message
    )


def test_an_empty_split_folder_is_a_split_without_classes(folder: Folder) -> None:
    root = folder({"train/cat": 2, "train/dog": 2})
    (root / "test").mkdir()

    assert look(root)["class_missing_in_split"].count == 2


def test_an_empty_class_is_an_error(folder: Folder) -> None:
    finding = look(folder({"cat": 2, "dog": 2, "emu": 0}))["no_images_in_class"]

    assert (finding.severity, finding.count, finding.examples) == ("error", 1, ("emu",))
    assert "1 of 3 classes hold no picture: 'emu'" in finding.message


def test_one_class_alone_is_an_error(folder: Folder) -> None:
    assert look(folder({"cat": 3}))["one_class_only"].severity == "error"


def test_unreadable_pictures_are_counted_by_reason(folder: Folder) -> None:
    root = folder({"cat": 4, "dog": 4})
    (root / "cat/000.png").write_bytes(b"")
    (root / "cat/001.png").write_bytes(b"")
    (root / "dog/000.png").write_bytes((root / "dog/000.png").read_bytes()[:-30])

    finding = look(root)["unreadable_images"]

    assert (finding.severity, finding.count) == ("error", 3)
    assert "3 of 8 pictures cannot be used: empty 2, truncated 1" in finding.message
    assert finding.examples[0].startswith("cat/000.png (empty: ")


def test_copies_in_two_splits_are_an_error(folder: Folder) -> None:
    root = folder({"train/cat": 3, "train/dog": 3, "test/cat": 2, "test/dog": 2})
    (root / "test/cat/000.png").write_bytes((root / "train/cat/001.png").read_bytes())

    finding = look(root)["duplicates_across_splits"]

    assert (finding.severity, finding.count) == ("error", 2)
    assert finding.examples == ("train/cat/001.png = test/cat/000.png",)
    assert "duplicates_within_split" not in look(root)


def test_copies_in_one_split_are_a_warning(folder: Folder) -> None:
    root = folder({"cat": 3, "dog": 3})
    for name in ("000", "001"):
        (root / f"cat/{name}.png").write_bytes((root / "cat/002.png").read_bytes())

    found = look(root)

    assert (found["duplicates_within_split"].severity, found["duplicates_within_split"].count) == (
        "warning",
        2,
    )
    assert "conflicting_labels" not in found


def test_one_picture_in_two_classes_has_a_wrong_label(folder: Folder) -> None:
    root = folder({"cat": 3, "dog": 3})
    (root / "dog/000.png").write_bytes((root / "cat/002.png").read_bytes())

    assert look(root)["conflicting_labels"].examples == ("cat/002.png = dog/000.png",)


def test_broken_copies_are_no_duplicates(folder: Folder) -> None:
    root = folder({"cat": 3, "dog": 3})
    for name in ("cat/000.png", "dog/000.png"):
        (root / name).write_bytes(b"")

    assert set(look(root)) == {"unreadable_images"}


@pytest.mark.parametrize(
    ("mode", "words"),
    [("L", "5 colour, 1 grey"), ("RGBA", "1 transparent"), ("I;16", "1 16-bit grey"), ("P", "1 palette")],
)
def test_mixed_colors_are_a_warning(
    mode: str, words: str, folder: Folder, pixels: Pixels, encode: Encode
) -> None:
    root = folder({"cat": 3, "dog": 3})
    image = Image.fromarray(pixels()[:, :, 0].astype(np.uint16) * 256 if mode == "I;16" else pixels())
    (root / "cat/000.png").write_bytes(encode(image if mode == "I;16" else image.convert(mode)))

    finding = look(root)["mixed_modes"]

    assert finding.severity == "warning"
    assert words in finding.message
    assert finding.examples == ("cat/000.png",)


def test_masks_beside_pictures_are_suspected(folder: Folder, pixels: Pixels, encode: Encode) -> None:
    root = folder({"cat": 3, "dog": 3})
    for i in range(3):
        (root / f"cat/{i:03d}.jpg").write_bytes(encode(pixels(12, 12, seed=90 + i), "JPEG"))

    found = look(root)

    assert found["twin_names"].count == 6
    assert found["mixed_formats"].examples == ("cat/000.jpg", "cat/001.jpg", "cat/002.jpg")


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_bits_of_a_camera_in_16_bits_are_told_with_the_grey_levels_that_are_left(
    folder: Folder, encode: Encode, bits: int
) -> None:
    root = folder({"cat": 2, "dog": 2})
    full = np.linspace(0, 2**bits - 1, 144).astype(np.uint16).reshape(12, 12)
    for name in ("cat/000.png", "cat/001.png", "dog/000.png"):
        (root / name).write_bytes(encode(Image.fromarray(full)))

    finding = look(root)["unused_bits"]

    assert (finding.severity, finding.count) == ("warning", 3)
    assert f"without a value above {2**bits - 1} of 65535" in finding.message
    assert f"{2 ** (bits - 8)} of 256 grey levels are left" in finding.message
    assert finding.examples == ("cat/000.png", "cat/001.png", "dog/000.png")


def test_a_dark_picture_among_others_of_16_bits_is_only_dark(folder: Folder, encode: Encode) -> None:
    root = folder({"cat": 2, "dog": 2})
    (root / "cat/000.png").write_bytes(encode(Image.fromarray(np.full((12, 12), 900, np.uint16))))
    assert "4 of 256 grey levels are left" in look(root)["unused_bits"].message  # 900: the high byte is 3
    (root / "cat/001.png").write_bytes(encode(Image.fromarray(np.full((12, 12), 16384, np.uint16))))

    assert "unused_bits" not in look(root)


def test_dark_pictures_of_8_bits_use_all_bits_that_there_are(folder: Folder, encode: Encode) -> None:
    root = folder({"cat": 2, "dog": 2})
    for name in ("cat/000.png", "cat/001.png", "dog/000.png", "dog/001.png"):
        (root / name).write_bytes(encode(Image.fromarray(np.full((12, 12), 9, np.uint8))))

    assert "unused_bits" not in look(root)


def test_odd_sizes_are_told(folder: Folder, pixels: Pixels, encode: Encode) -> None:
    root = folder({"cat": 3, "dog": 3})
    (root / "cat/tiny.png").write_bytes(encode(pixels(7, 9)))
    (root / "cat/long.png").write_bytes(encode(pixels(10, 31)))

    found = look(root)

    assert found["tiny_images"].examples == ("cat/tiny.png",)
    assert found["extreme_aspect"].examples == ("cat/long.png",)
    assert (found["mixed_sizes"].severity, found["mixed_sizes"].count) == ("info", 8)
    assert "9 to 31 wide, 7 to 12 high, median shorter side 12" in found["mixed_sizes"].message


def test_imbalance_beyond_ten_to_one_is_a_warning(folder: Folder) -> None:
    assert "imbalance" not in look(folder({"cat": 20, "dog": 2}, name="a"))

    finding = look(folder({"cat": 21, "dog": 2, "emu": 21}, name="b"))["imbalance"]

    assert (finding.severity, finding.count, finding.examples[0]) == ("warning", 1, "dog")
    assert "'cat' has 21 training pictures, 'dog' has 2" in finding.message


def test_the_balance_of_test_pictures_is_not_training_balance(folder: Folder) -> None:
    root = folder({"train/cat": 3, "train/dog": 3, "test/cat": 61, "test/dog": 2})

    assert "imbalance" not in look(root)


def test_few_pictures_are_told_with_what_they_cannot_prove(folder: Folder) -> None:
    root = folder({"train/cat": 12, "train/dog": 8, "val/cat": 6, "val/dog": 5, "test/cat": 3, "test/dog": 5})

    said = " ".join(f.message for f in look(root, with_split=True).values())

    assert "With 11 calibration images a 1% risk cannot be shown; about 449 would be needed" in said
    assert "With 8 test images the accuracy is known to about ±35 points" in said
    assert (
        "2 classes with few test images: 'cat' has 3. Even if all are right, its recall could be as low"
        in said
    )
    assert "as low as 29%" in said
    assert "1 class with fewer than 10 images to learn from" in said


def test_calibration_pictures_that_belong_together_count_once(folder: Folder) -> None:
    root = folder({"train/a": 12, "train/b": 12, "val/a": 300, "val/b": 300}, side=8)
    rows = [f"val/{name}/{i:03d}.png,{name}{i // 10}" for name in "ab" for i in range(300)]
    (root / "groups.csv").write_text("\n".join(["picture,group", *rows]))

    finding = look(root, with_split=True)["few_images"]

    assert (finding.severity, finding.count) == ("warning", 60)
    assert (
        "With 600 calibration images that, counted once where they belong together, are 60,"
        in finding.message
    )
    assert finding.hint.startswith("Bring 449 or more groups or single pictures in val")


def test_enough_pictures_are_not_told(folder: Folder) -> None:
    counts = {
        f"{split}/{name}": 225 if split == "val" else 200
        for split in ("train", "val", "test")
        for name in "ab"
    }

    assert look(folder(counts, side=8), with_split=True) == {}


@pytest.mark.parametrize("each", [1, 2])
def test_nothing_left_to_calibrate_or_measure_on_is_an_error(folder: Folder, each: int) -> None:
    finding = look(folder({"cat": each, "dog": each}), with_split=True)["empty_role"]

    assert finding.severity == "error"
    assert "No picture is left to" in finding.message


def test_a_test_set_alone_can_be_evaluated(folder: Folder) -> None:
    finding = look(folder({"test/cat": 2, "test/dog": 2}))["no_training_images"]

    assert finding.severity == "info"
    assert "can be evaluated, not trained" in finding.message


def test_groups_in_two_splits_are_a_warning(folder: Folder) -> None:
    root = folder({"train/cat": 2, "train/dog": 2, "test/cat": 2, "test/dog": 2})
    (root / "groups.csv").write_text("picture,group\ntrain/cat/000.png,track 7\ntest/cat/001.png,track 7\n")

    finding = look(root)["groups_across_splits"]

    assert (finding.severity, finding.examples) == ("warning", ("track 7",))
    (root / "groups.csv").write_text("picture,group\ntrain/cat/000.png,track 7\ntrain/cat/001.png,track 7\n")
    assert look(root) == {}


@pytest.mark.parametrize(
    ("group", "unused", "said"),
    [
        (None, ("shift",), "name it with --group."),
        (
            "patient",
            ("groups.csv", "shift"),
            "name it with --group; groups.csv counts where --group is left out",
        ),
        ("patient+shift", ("groups.csv",), "groups.csv counts where --group is"),
    ],
)
def test_keys_that_are_not_used_are_told_and_how_each_would_count(
    tmp_path: Path, group: str | None, unused: tuple[str, ...], said: str
) -> None:
    (tmp_path / "set.csv").write_text("path,label,patient,shift\na,cat,1,1\nb,dog,1,1\nc,dog,2,2\n")
    (tmp_path / "groups.csv").write_text("picture,group\nb,1\nc,1\n")
    dataset = data.open(tmp_path, group=group)

    found = check(dataset, inventory.take(dataset))

    finding = next(finding for finding in found if finding.code == "keys_not_used")
    assert finding.examples == unused
    assert said in finding.hint
    assert finding.hint.startswith("groups.csv") == (unused == ("groups.csv",))


def test_what_is_left_out_is_told(folder: Folder) -> None:
    root = folder({"train/cat": 2, "train/dog": 2, "test/cat": 2, "test/dog": 2})
    (root / "train/stray.jpg").write_bytes(b"")
    (root / "labels.csv").write_text("x")

    found = look(root)

    assert (found["pictures_without_class"].severity, found["pictures_without_class"].examples) == (
        "warning",
        ("train/stray.jpg",),
    )
    assert found["ignored_files"].examples == ("labels.csv",)


def test_an_inventory_of_unreadable_pictures_only_is_survived(folder: Folder) -> None:
    root = folder({"cat": 2, "dog": 2})
    for name in root.rglob("*.png"):
        name.write_bytes(b"")

    found = look(root)

    assert set(found) == {"unreadable_images", "no_training_images"}
    assert "evaluated" not in found["no_training_images"].message


@pytest.mark.parametrize("name", catalog.names(checks))
def test_every_check_is_silent_about_good_data(name: str, folder: Folder) -> None:
    dataset = data.open(folder({"cat": 3, "dog": 3}))

    assert list(catalog.find(checks, name)(dataset, inventory.take(dataset), None)) == []


def test_the_numbers_that_are_quoted_are_exact() -> None:
    from scipy.stats import beta

    for n in (1, 5, 36, 200):
        assert lowest_recall(n) == pytest.approx(beta.ppf(0.025, n, 1))
    assert lowest_recall(35) < 0.9 <= lowest_recall(36)


def test_the_real_masks_of_a_segmentation_set_are_passed_over_and_named(shared: Path) -> None:
    found = look(shared / "data/magnetic_tile")

    assert "mixed_formats" not in found
    assert "twin_names" not in found
    assert found["companions_passed_over"].count == 444
    assert found["companions_passed_over"].examples[0] == "MT_Blowhole/Imgs/exp1_num_108889.png"
    assert found["ignored_files"].examples == ("ORIGINAL_README.md",)


def test_gtsrb_written_as_folders_with_its_tracks_is_clean(shared: Path, tmp_path: Path) -> None:
    with np.load(shared / "data/gtsrb/gtsrb32_train.npz") as arrays:
        images, labels, tracks = (arrays[name] for name in ("images", "labels", "track"))
    lines = ["picture,group"]
    for i in range(0, len(images), 3):
        source = f"{labels[i]:02d}/{i:05d}.png"
        (tmp_path / source).parent.mkdir(exist_ok=True)
        file = io.BytesIO()
        Image.fromarray(images[i]).save(file, "PNG")
        (tmp_path / source).write_bytes(file.getvalue())
        lines.append(f"{source},{labels[i]}-{tracks[i]}")
    (tmp_path / "groups.csv").write_text("\n".join(lines))
    dataset = data.open(tmp_path)
    taken = inventory.take(dataset)

    split = splits.make(dataset, taken, seed=0)

    assert not any(f.severity == "error" for f in check(dataset, taken, split))
    assert dataset.groups is not None
    of_role = [{dataset.groups[i] for i in split.role(role)} for role in splits.ROLES]
    assert of_role[0].isdisjoint(of_role[1] | of_role[2])
    assert of_role[1].isdisjoint(of_role[2])
    assert len(split.calib) == pytest.approx(0.15 * len(dataset), rel=0.25)

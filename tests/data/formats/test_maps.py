"""data.formats.class_maps and instance_maps: what values mean, and which map belongs to a picture."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bad_inputs.made import encoded
from foveal.core.errors import DataError, ImageError
from foveal.data import decode, opening
from foveal.data.formats.instance_maps import numbered

Tree = Callable[..., Path]
VALUES = np.array([[0, 1, 2], [255, 1, 1]], np.uint8)
PICTURE = (3, 2)


def regions(root: Path) -> list[list[int]]:
    found = opening.open(root, task="segment").scenes.regions(0)
    assert found.dtype == np.uint8
    return found.tolist()


@pytest.mark.parametrize(
    ("picture", "map"),
    [
        ("images/a.jpg", "masks/a.png"),
        ("images/a.jpg", "masks/a_mask.png"),
        ("img_dir/train/a.jpg", "ann_dir/train/a.png"),
        ("train/images/a.jpg", "train/masks/a.png"),
        ("JPEGImages/a.jpg", "SegmentationClass/a.png"),
        ("train/a.jpg", "trainannot/a.png"),
    ],
)
def test_where_maps_lie(tree: Tree, picture: str, map: str) -> None:  # noqa: A002
    dataset = opening.open(tree({picture: PICTURE, map: VALUES, "classes.txt": "a\nb\nc\n"}))

    assert (dataset.format, dataset.task, dataset.classes) == ("class_maps", "segment", ("a", "b", "c"))
    assert (dataset.sources, dataset.ignored, dataset.labels.tolist()) == ((picture,), (), [0])
    assert dataset.scenes.regions(0).tolist() == [[0, 1, 2], [255, 1, 1]]


@pytest.mark.parametrize(
    ("file", "text", "classes", "expected"),
    [
        ("classes.txt", "a\nb\nc", ("a", "b", "c"), [[0, 1, 2], [255, 1, 1]]),
        ("labels.txt", "2 c\n0: a\n1\tb", ("c", "a", "b"), [[1, 2, 0], [255, 2, 2]]),
        ("classes.txt", "a\nb\nvoid", ("a", "b"), [[0, 1, 255], [255, 1, 1]]),
        ("class_names.txt", "__ignore__\na\nb\nc", ("a", "b", "c"), [[0, 1, 2], [255, 1, 1]]),
        ("classes.json", '["a", "b", "Unlabelled"]', ("a", "b"), [[0, 1, 255], [255, 1, 1]]),
        ("classes.json", '{"0": "a", "1": "b", "2": "a"}', ("a", "b"), [[0, 1, 0], [255, 1, 1]]),
        ("classes.json", '{"a": 0, "b": 1, "c": 2}', ("a", "b", "c"), [[0, 1, 2], [255, 1, 1]]),
    ],
)
def test_what_numbers_mean(tree: Tree, file: str, text: str, classes: tuple, expected: list) -> None:
    root = tree({"images/a.jpg": PICTURE, "masks/a.png": VALUES, file: text})

    assert opening.open(root).classes == classes
    assert regions(root) == expected


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("label_colors.txt", "64 128 64\troad\n0 0 0 void\n1 2 3 sky\n"),
        ("labelmap.txt", "# label:color_rgb:parts:actions\nroad:64,128,64::\nignore:0,0,0::\nsky:1,2,3::\n"),
        ("classes.json", '{"road": [64, 128, 64], "void": [0, 0, 0], "sky": [1, 2, 3]}'),
    ],
)
@pytest.mark.parametrize("palette", [False, True])
def test_what_colours_mean(tree: Tree, file: str, text: str, palette: bool) -> None:
    colours = np.array([[64, 128, 64], [0, 0, 0], [1, 2, 3]], np.uint8)
    indices = np.array([[0, 1, 2], [2, 2, 0]], np.uint8)
    image = Image.fromarray(colours[indices])
    if palette:
        image = Image.fromarray(indices, mode=None).convert("P")
        image.putpalette(colours.tobytes())
        image.putdata(indices.ravel().tolist())
    root = tree({"images/a.jpg": PICTURE, "masks/a.png": encoded(image), file: text})

    assert opening.open(root).classes == ("road", "sky")
    assert regions(root) == [[0, 255, 1], [1, 1, 0]]


def test_without_a_list_values_are_classes(tree: Tree) -> None:
    root = tree({"images/a.jpg": PICTURE, "masks/a.png": VALUES})
    black_and_white = tree({"images/a.jpg": PICTURE, "masks/a.png": (VALUES > 1) * np.uint8(255)}, name="bw")
    coloured = tree({"images/a.jpg": PICTURE, "masks/a.png": np.stack([VALUES] * 3, axis=2)}, name="colours")

    assert opening.open(root).classes == ("0", "1", "2")
    assert regions(root) == [[0, 1, 2], [255, 1, 1]]
    assert opening.open(black_and_white).classes == ("0", "255")
    assert regions(black_and_white) == [[0, 0, 1], [1, 0, 0]]
    assert opening.open(coloured).classes == ("#000000", "#010101", "#020202", "#ffffff")


def test_white_is_the_second_of_two_classes_unless_values_are_written_down(tree: Tree) -> None:
    content = {"images/a.jpg": PICTURE, "masks/a.png": (VALUES > 1) * np.uint8(255)}

    assert regions(tree({**content, "classes.txt": "good\ncrack\n"}, name="1")) == [[0, 0, 1], [1, 0, 0]]
    assert regions(tree({**content, "classes.txt": "0 good\n1 crack\n"}, name="2")) == [
        [0, 0, 255],
        [255, 0, 0],
    ]


def test_the_folders_of_segnet_mean_camvid(tree: Tree) -> None:
    root = tree({"train/a.png": PICTURE, "trainannot/a.png": np.array([[0, 10, 11]] * 2, np.uint8)})

    assert opening.open(root).classes[10] == "Bicyclist"
    assert regions(root) == [[0, 10, 255]] * 2


def test_lists_divide_and_leave_out(tree: Tree) -> None:
    content = {f"images/{name}.jpg": PICTURE for name in "abc"} | {
        f"masks/{name}.png": VALUES for name in "abc"
    }
    lists = {"train.txt": "/data/set/images/a.jpg masks/a.png\n", "val.txt": "b\n"}

    dataset = opening.open(tree({**content, **lists}))

    assert (dataset.sources, dataset.splits) == (("images/a.jpg", "images/b.jpg"), ("train", "val"))
    assert dataset.ignored == ("images/c.jpg",)
    for place, (line, why) in enumerate(
        (("a\n\nz", "line 3: 'z' is not there, or has no map"), ("a b c", "line 1: a line holds a picture"))
    ):
        with pytest.raises(DataError, match=f"train.txt, {why}"):
            opening.open(tree({**content, "train.txt": line}, name=str(place)))


def test_maps_that_do_not_fit_are_named(tree: Tree) -> None:
    content = {"images/a.jpg": PICTURE, "classes.txt": "a\nb\nc\n"}

    def message(map: object, name: str) -> str:  # noqa: A002
        with pytest.raises(DataError) as raised:
            regions(tree({**content, "masks/a.png": map}, name=name))
        assert raised.value.code == "bad_annotation"
        return raised.value.message

    assert "masks/a.png: it is 2 × 2 pixels, and images/a.jpg is 3 × 2" in message(VALUES[:, :2], "1")
    assert "masks/a.png: 6, 7, 8, 9 are values without a class" in message(VALUES + np.uint8(7), "2")
    assert "masks/a.png: the map cannot be used" in message(b"\x89PNG", "3")
    assert "the map is in colours" in message(np.stack([VALUES] * 3, axis=2), "4")


def test_the_fingerprint_covers_maps_and_what_they_mean(tree: Tree) -> None:
    content = {"images/a.jpg": PICTURE, "masks/a.png": VALUES}

    said = {
        opening.open(tree({**content, **more}, name=str(k))).truths[0]
        for k, more in enumerate(
            (
                {"classes.txt": "a\nb\nc"},
                {"classes.txt": "a\nc\nb"},
                {"masks/a.png": VALUES // 2, "classes.txt": "a\nb\nc"},
            )
        )
    }

    assert len(said) == 3


@pytest.mark.parametrize(
    ("picture", "map", "name"),
    [
        ("images/a.jpg", "instance_masks/a.png", "object"),
        ("PNGImages/a.png", "PedMasks/a_mask.png", "Ped"),
        ("train/images/a.jpg", "train/instances/a.png", "object"),
    ],
)
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_numbers_are_objects(tree: Tree, picture: str, map: str, name: str, kind: type) -> None:  # noqa: A002
    values = np.array([[0, 7, 7], [200, 0, 7]], kind) * (kind(300) if kind is np.uint16 else kind(1))
    root = tree({picture: PICTURE, map: values})

    dataset = opening.open(root)
    objects = dataset.scenes.objects(0)

    assert (dataset.format, dataset.scenes.tasks) == ("instance_maps", ("instance", "detect"))
    assert (dataset.classes, dataset.ignored) == ((name,), ())
    assert objects.boxes.tolist() == [[1, 0, 3, 2], [0, 1, 1, 2]]
    assert [one.mask(2, 3).tolist() for one in objects.outlines] == [
        [[False, True, True], [False, False, True]],
        [[False, False, False], [True, False, False]],
    ]


def test_a_mask_for_each_object(tree: Tree) -> None:
    masks = {f"one/masks/{k}.png": (k == VALUES) * np.uint8(255) for k in (1, 2)}

    objects = opening.open(tree({"one/images/one.png": PICTURE, **masks})).scenes.objects(0)

    assert objects.boxes.tolist() == [[1, 0, 3, 2], [2, 0, 3, 1]]


def test_an_instance_map_of_another_size_is_named(tree: Tree) -> None:
    dataset = opening.open(tree({"images/a.jpg": (4, 4), "instance_masks/a.png": VALUES}))

    with pytest.raises(
        DataError, match=r"instance_masks/a.png: it is 3 × 2 pixels, and images/a.jpg is 4 × 4"
    ):
        dataset.scenes.objects(0)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_numbered_pixels_come_back_as_masks(height: int, width: int, seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 4, (height, width))

    found = numbered(values)

    there = [value for value in np.unique(values) if value]
    assert len(found) == len(there)
    for runs, value in zip(found, there, strict=True):
        assert (runs.mask(height, width) == (values == value)).all()


def test_what_loses_values_is_no_map() -> None:
    with pytest.raises(ImageError, match="a JPEG keeps no exact values"):
        decode.values(encoded(VALUES, "JPEG"))

"""data.formats.coco: categories with gaps, outlines of all kinds, where pictures lie, mistakes by line."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as oracle

from foveal.core.errors import DataError
from foveal.data import inventory as inventories
from foveal.data import opening
from foveal.data.formats import _rle
from foveal.data.outline import Polygons, Runs

Tree = Callable[..., Path]
PICTURE = (40, 30)


def document(*annotations: dict[str, Any], images: Any = ("a.jpg",), categories: Any = None) -> str:
    rows = {
        "images": [
            {"id": 10 * k, "file_name": name, "width": 40, "height": 30} for k, name in enumerate(images, 1)
        ],
        "annotations": [{"id": k, "image_id": 10, **one} for k, one in enumerate(annotations)],
        "categories": categories or [{"id": 90, "name": "dog"}, {"id": 3, "name": "cat"}],
    }
    lines = [f'"{key}": [\n' + ",\n".join(map(json.dumps, value)) + "\n]" for key, value in rows.items()]
    return "{" + ",\n".join(lines) + "}"


def test_numbers_of_categories_may_have_gaps_and_order_the_classes(tree: Tree) -> None:
    root = tree({"images/a.jpg": PICTURE, "set.json": document({"category_id": 90, "bbox": [1, 2, 3, 4]})})

    dataset = opening.open(root)

    assert (dataset.format, dataset.scenes.tasks, dataset.classes) == ("coco", ("detect",), ("cat", "dog"))
    objects = dataset.scenes.objects(0)
    assert (objects.boxes.tolist(), objects.labels.tolist()) == ([[1, 2, 4, 6]], [1])
    assert dataset.sources == ("images/a.jpg",)
    assert dataset.ignored == ()


def test_outlines_of_all_kinds(tree: Tree) -> None:
    mask = np.zeros((30, 40), bool)
    mask[3:9, 5:12] = True
    packed = oracle.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
    polygon = [5.0, 3.0, 12.0, 3.0, 12.0, 9.0, 5.0, 9.0]
    outlines = (
        [polygon],
        {"size": [30, 40], "counts": packed},
        {"size": [30, 40], "counts": Runs.of(mask).counts.tolist()},
    )
    rows = [{"category_id": 3, "segmentation": one, "iscrowd": int(k == 2)} for k, one in enumerate(outlines)]
    root = tree({"a.jpg": PICTURE, "set.json": document(*rows)})

    dataset = opening.open(root, task="instance")
    objects = dataset.scenes.objects(0)

    assert dataset.scenes.tasks == ("detect", "instance")
    assert [type(one) for one in objects.outlines] == [Polygons, Runs, Runs]
    assert all((one.mask(30, 40) == mask).all() for one in objects.outlines)
    assert objects.boxes.tolist() == [[5, 3, 12, 9]] * 3
    assert objects.ignored.tolist() == [False, False, True]


def test_where_only_some_objects_have_an_outline_there_is_no_instance(tree: Tree) -> None:
    rows = [
        {"category_id": 3, "bbox": [1, 2, 3, 4]},
        {"category_id": 3, "segmentation": [[1, 1, 9, 1, 9, 9]]},
    ]
    root = tree({"a.jpg": PICTURE, "set.json": document(*rows)})

    assert opening.open(root).scenes.objects(0).outlines == ()
    with pytest.raises(DataError, match=r"\(coco\) does not say enough for instance; it does for detect"):
        opening.open(root, task="instance")


@pytest.mark.parametrize(
    "places",
    [
        ("annotations/instances_{}2017.json", "{}2017/{}.jpg"),
        ("annotations/instances_{}.json", "images/{}/{}.jpg"),
        ("annotations/instances_{}.json", "images/{1}.jpg"),
        ("{}/_annotations.coco.json", "{}/{}.jpg"),
        ("{}.json", "images/{}/{}.jpg"),
    ],
)
def test_a_file_for_each_split(tree: Tree, places: tuple[str, str]) -> None:
    content = {}
    for split, name in (("train", "a"), ("val", "b")):
        content[places[0].format(split)] = document(
            {"category_id": 3, "bbox": [0, 0, 9, 9]}, images=[f"{name}.jpg"]
        )
        content[places[1].format(split, name)] = PICTURE
    content["annotations/captions_train2017.json"] = '{"images": [], "annotations": []}'
    if not places[0].startswith("annotations"):
        del content["annotations/captions_train2017.json"]

    dataset = opening.open(tree(content))

    assert sorted(zip(dataset.sources, dataset.splits, strict=True)) == sorted(
        (places[1].format(split, name), split) for split, name in (("train", "a"), ("val", "b"))
    )
    assert inventories.take(dataset).readable.all()
    assert dataset.ignored == ()


def test_attributes_are_kept(tree: Tree) -> None:
    row = {"category_id": 3, "bbox": [1, 1, 5, 5], "attributes": {"colour": "red", "old": True}}

    objects = opening.open(tree({"a.jpg": PICTURE, "set.json": document(row, row)})).scenes.objects(0)

    assert objects.attributes == ({"colour": "red", "old": "True"},) * 2


def test_a_picture_without_objects_has_none_and_one_that_is_gone_cannot_be_read(tree: Tree) -> None:
    root = tree({"a.jpg": PICTURE, "b.jpg": PICTURE, "set.json": document(images=["a.jpg", "gone.jpg"])})

    dataset = opening.open(root)

    assert [len(dataset.scenes.objects(i)) for i in range(2)] == [0, 0]
    assert dataset.ignored == ("b.jpg",)
    assert inventories.take(dataset).readable.tolist() == [True, False]


BOX = {"category_id": 3, "bbox": [1, 2, 3, 4]}


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"category_id": 7, "bbox": [1, 2, 3, 4]}, "there is no category 7"),
        ({**BOX, "image_id": 11}, "there is no image 11"),
        ({"category_id": 3}, "it has neither 'bbox' nor 'segmentation'"),
        ({**BOX, "bbox": [1, 2, 3]}, "'bbox' holds 3 numbers"),
        ({**BOX, "bbox": [1, 2, 3, "x"]}, "'bbox' holds 'x', which is no number"),
        ({**BOX, "bbox": [1, 2, 3, 1e300]}, "which is no number"),
        ({**BOX, "segmentation": [[1, 2, 3, 4]]}, "a polygon of 4 numbers"),
        ({**BOX, "segmentation": {"size": [30, 40], "counts": [5, 6]}}, "cover 11 pixels, not 40 × 30"),
        (
            {**BOX, "segmentation": {"size": [3, 4], "counts": [12]}},
            "a mask of 4 × 3 on a picture of 40 × 30",
        ),
        ({**BOX, "segmentation": {"size": [30, 40], "counts": "!!"}}, "'!' is no letter of packed runs"),
        ({**BOX, "segmentation": {"size": [30, 40], "counts": [-5, 1205]}}, "shorter than nothing"),
        ({**BOX, "category_id": "3"}, "'category_id' is missing, or no whole number"),
        ({**BOX, "iscrowd": "0"}, "'iscrowd' is neither 0 nor 1"),
        ({**BOX, "iscrowd": 2}, "'iscrowd' is neither 0 nor 1"),
        ({**BOX, "iscrowd": [1]}, "'iscrowd' is neither 0 nor 1"),
    ],
)
def test_mistakes_of_meaning_are_named_by_line(tree: Tree, row: dict[str, Any], why: str) -> None:
    root = tree({"a.jpg": PICTURE, "set.json": document(BOX, BOX, row, BOX)})

    with pytest.raises(DataError) as raised:
        opening.open(root)

    assert why in raised.value.message
    assert "set: set.json, line 7: " in raised.value.message  # 1 {"images": [, 2 a.jpg, 3 ], 4 annotations …
    assert raised.value.code == "bad_annotation"


def test_other_mistakes_are_named_too(tree: Tree) -> None:
    def message(text: str, name: str) -> str:
        with pytest.raises(DataError) as raised:
            opening.open(tree({"a.jpg": PICTURE, "set.json": text}, name=name))
        assert raised.value.code == "bad_annotation"
        return raised.value.message

    assert "line 3: no JSON" in message('{"images": [],\n"annotations": [\n1 2]}', "1")
    assert "NaN is no number" in message('{"images": [], "annotations": [NaN]}', "2")
    assert "line 2: an entry of 'images' is no object" in message(
        '{"categories": [],"images": [\n1], "annotations": []}', "3"
    )
    twice = [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]
    assert "line 9: the category 1, 'b', is there twice" in message(document(categories=twice), "4")
    assert "'../a.jpg' is no path below the data" in message(document(images=["../a.jpg"]), "5")
    assert "line 1: 'categories' is missing" in message('{"images": [], "annotations": []}', "6")
    assert "none of the pictures that it names is there, such as 'z.jpg'" in message(
        document(images=["z.jpg"]), "7"
    )
    half = document(categories=[{"id": 1, "name": "\ud800"}])
    assert "line 8: \\ud800 is half of a letter" in message(half, "9")
    deep = '{"images": [' + "[" * 100_000 + "]" * 100_000 + "]}"
    assert "no JSON that is read" in message(deep, "8")


masks = st.tuples(st.integers(1, 12), st.integers(1, 12), st.randoms(use_true_random=False)).map(
    lambda t: np.array([[t[2].random() < 0.5 for _ in range(t[1])] for _ in range(t[0])])
)


@given(masks)
def test_packed_runs_are_those_of_pycocotools(mask: np.ndarray) -> None:
    packed = oracle.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
    runs = Runs.of(mask)

    assert _rle.decoded(packed).tolist() == runs.counts.tolist()
    assert _rle.encoded(runs.counts) == packed
    assert (Runs(_rle.decoded(packed), *mask.shape).mask(*mask.shape) == mask).all()


@given(st.lists(st.integers(0, 2**31), min_size=1, max_size=40))
def test_packing_long_runs_is_undone_by_unpacking(lengths: list[int]) -> None:
    assert _rle.decoded(_rle.encoded(np.array(lengths))).tolist() == lengths


@given(st.text(max_size=30))
def test_any_text_is_unpacked_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert _rle.decoded(text).dtype == np.int64


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@given(
    st.lists(
        st.tuples(st.floats(0, 60, width=32), st.floats(0, 50, width=32)), min_size=3, max_size=8, unique=True
    )
)
def test_convex_polygons_cover_what_pycocotools_says_but_for_their_edge(
    corners: list[tuple[float, float]],
) -> None:
    center = np.mean(corners, axis=0)
    ring = np.array(sorted(corners, key=lambda one: np.arctan2(*(np.array(one) - center))), dtype=np.float32)
    ours = Polygons((ring,)).mask(50, 60)
    theirs = oracle.decode(oracle.merge(oracle.frPyObjects([ring.ravel().tolist()], 50, 60))).astype(bool)
    length = float(np.linalg.norm(ring - np.roll(ring, 1, axis=0), axis=1).sum())

    # Pixels whose middle lies within a pixel of the edge may be counted either way.
    assert (ours != theirs).sum() <= 1.6 * length + 4

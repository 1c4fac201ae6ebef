"""report.pictures and report.tables: what the page shows of a picture and of a matrix."""

import base64
import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from foveal.core.errors import UsageError
from foveal.report.pictures import ClassPictures, embed, strips
from foveal.report.tables import confusion_table, origin, thinned


def decoded(address: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))


@given(st.integers(1, 96), st.integers(1, 96), st.integers(1, 6), st.integers(0, 2**16))
def test_small_picture_keeps_every_pixel(height: int, width: int, channels: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)

    embedded = embed(pixels)

    expected = pixels[:, :, :3] if channels >= 3 else pixels[:, :, 0]
    assert embedded.pixelated
    assert (embedded.width, embedded.height) == (width, height)
    assert np.array_equal(np.asarray(decoded(embedded.address)), expected)


def test_large_picture_becomes_a_thumbnail_of_the_same_shape() -> None:
    pixels = np.full((300, 1200, 3), (200, 40, 40), dtype=np.uint8)

    embedded = embed(pixels)

    assert embedded.address.startswith("data:image/jpeg;base64,")
    assert (embedded.width, embedded.height, embedded.pixelated) == (256, 64, False)
    assert np.abs(np.asarray(decoded(embedded.address)).astype(int) - (200, 40, 40)).max() < 6


@pytest.mark.parametrize(
    "pixels", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)]
)
def test_anything_else_is_refused(pixels: Any) -> None:
    with pytest.raises(UsageError, match=r"need uint8 pixels \(H, W, C\); got"):
        embed(pixels)


def gallery(classes: int, pictures: int, side: int) -> list[ClassPictures]:
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    return [ClassPictures(f"class {k}", k + 1, (pixels,) * pictures) for k in range(classes)]


@pytest.mark.parametrize(
    ("classes", "side", "shown", "per_class"),
    [
        (3, 8, 3, 8),
        (100, 8, 100, 8),
        (101, 8, 101, 7),
        (300, 8, 300, 2),
        (1000, 8, 400, 2),
        (100, 96, 100, 3),
    ],
)
def test_gallery_has_fewer_pictures_of_each_class_the_more_there_are(
    classes: int, side: int, shown: int, per_class: int
) -> None:
    found = strips(gallery(classes, 8, side))

    assert len(found) == shown
    assert {len(strip.pictures) for strip in found} == {per_class}
    assert sum(len(p.address) for strip in found for p in strip.pictures) <= 12_000_000
    assert (found[0].name, found[-1].name) == ("class 0", f"class {classes - 1}")
    assert (found[-1].images, found[-1].share) == (classes, 1.0)


def test_gallery_of_classes_with_few_pictures_or_none_is_whole() -> None:
    pixels = np.zeros((8, 8, 1), np.uint8)
    groups = [
        ClassPictures("a", 0, ()),
        ClassPictures("b", 9, (pixels,) * 3),
        ClassPictures("c", 1, (pixels,)),
    ]

    assert [len(strip.pictures) for strip in strips(groups)] == [0, 3, 1]
    assert strips([]) == []


def test_of_very_many_classes_the_most_confused_have_a_row_and_a_column() -> None:
    side = 101
    matrix = np.zeros((side, side), dtype=int)
    np.fill_diagonal(matrix, 5)
    matrix[9, 70] = 4
    matrix[3, 9] = 1

    table = confusion_table(
        {"classes": [f"c{k}" for k in range(side)], "confusion": matrix.tolist(), "worst_mistakes": []}
    )

    assert table.names == ("c3", "c9", "c70")
    assert [(name, n, [cell and cell.count for cell in cells]) for name, n, cells in table.rows] == [
        ("c3", 6, [5, 1, None]),
        ("c9", 9, [None, 5, 4]),
        ("c70", 5, [None, None, 5]),
    ]


def test_cells_count_shares_and_lead_to_the_first_shown_mistake() -> None:
    table = confusion_table(
        {
            "classes": ["a", "b"],
            "confusion": [[3, 1], [0, 0]],
            "worst_mistakes": [
                {"truth": "b", "label": "a"},
                {"truth": "a", "label": "b"},
                {"truth": "a", "label": "b"},
            ],
        }
    )

    (_, n, (hit, miss)), (_, none, empty) = table.rows
    assert hit is not None
    assert miss is not None
    assert (n, hit.count, hit.share, hit.right, hit.mistake) == (4, 3, 0.75, True, None)
    assert (miss.count, miss.right, miss.mistake, miss.says) == (1, False, 2, "1 image of “a” taken for “b”")
    assert (none, empty) == (0, (None, None))


def test_unknown_facts_are_left_out(document: dict[str, Any]) -> None:
    document["provenance"] = {"foveal": "0.1.0", "cpu": None}

    facts = dict(origin(document))

    assert facts["foveal"] == "0.1.0"
    assert not {"Processor", "Engine", "Time to measure", "Speed while measuring"} & set(facts)


@given(st.integers(0, 300), st.integers(2, 50))
def test_thinned_rows_keep_order_and_ends(length: int, most: int) -> None:
    rows = list(range(length))

    kept = thinned(rows, most)

    assert kept == sorted(set(kept))
    assert len(kept) == min(length, most)
    assert kept[:1] == rows[:1]
    assert kept[-1:] == rows[-1:]

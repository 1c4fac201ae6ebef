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
from foveal.report.pictures import embed
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

"""bundle.roofline: the bound is a lower bound, rises with the work, and is the roof that measures it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foveal.bundle import archive, roofline
from foveal.bundle.bandwidth import Level
from foveal.bundle.roofline import Peak, Roofline, Work, with_shares, work_of

LEVELS = (
    Level("L1", 1, 1_000, 100e9, 0.1),
    Level("L2", 1, 100_000, 50e9, 0.1),
    Level("memory", 1, None, 10e9, 0.1),
    Level("L1", 4, 4_000, 400e9, 0.1),
    Level("L2", 4, 400_000, 200e9, 0.1),
    Level("memory", 4, None, 20e9, 0.1),
)
PEAKS = tuple(
    Peak(precision, threads, "an engine", rate, 0.1, 9)
    for precision, threads, rate in [("fp32", 1, 50e9), ("fp32", 4, 150e9), ("int8", 1, 200e9)]
)
FOUND = Roofline(PEAKS, LEVELS)


def test_much_arithmetic_on_few_bytes_is_bound_by_the_peak():
    bound = FOUND.bound(Work(macs=50_000_000, moved_bytes=500), precision="fp32", threads=1)

    assert (bound.seconds, bound.limit, bound.level) == (pytest.approx(1e-3), "compute", "L1")


def test_much_to_move_is_bound_by_the_level_that_holds_it():
    bound = FOUND.bound(Work(macs=1, moved_bytes=10_000_000), precision="fp32", threads=4)

    assert (bound.seconds, bound.limit, bound.level) == (pytest.approx(0.5e-3), "memory", "memory")


@pytest.mark.parametrize(
    ("moved", "threads", "level"),
    [(1000, 1, "L1"), (1001, 1, "L2"), (1001, 4, "L1"), (100_001, 1, "memory"), (100_001, 3, "L2")],
)
def test_what_fits_a_cache_comes_from_there(moved, threads, level):
    assert FOUND.level(moved, threads).name == level


@pytest.mark.parametrize(("threads", "rate"), [(1, 50e9), (2, 100e9), (3, 150e9), (4, 150e9), (9, 150e9)])
def test_threads_in_between_reach_no_more_than_their_number_nor_than_all(threads, rate):
    assert FOUND.peak("fp32", threads) == pytest.approx(rate)


def test_all_threads_that_were_disturbed_reach_what_one_reached():
    found = Roofline((PEAKS[0], Peak("fp32", 2, "an engine", 39e9, 2.0, 9)), LEVELS)

    assert found.peak("fp32", 2) == 50e9


@given(
    macs=st.integers(1, 10**12),
    moved=st.integers(1, 10**9),
    more=st.integers(0, 10**9),
    threads=st.integers(1, 6),
)
def test_more_work_never_has_a_lower_bound_and_both_parts_bind(macs, moved, more, threads):
    bound = FOUND.bound(Work(macs, moved), precision="fp32", threads=threads)
    harder = FOUND.bound(Work(macs + more, moved + more), precision="fp32", threads=threads)

    assert harder.seconds >= bound.seconds
    assert bound.seconds * FOUND.peak("fp32", threads) >= macs * (1 - 1e-9)
    assert bound.seconds * FOUND.level(moved, threads).bytes_per_second >= moved * (1 - 1e-9)


def test_of_two_precisions_the_faster_one_bounds(bundle):
    found = Roofline((*PEAKS, Peak("bf16", 1, "an engine", 90e9, 0.1, 9)), LEVELS)
    manifest = archive.read(bundle).manifest
    manifest = manifest.model_copy(update={"model": manifest.model.model_copy(update={"macs": 1000})})

    assert found.peak("int8+bf16", 1) == 200e9
    assert work_of(manifest, precision="int8+bf16", batch=1) == work_of(manifest, precision="int8", batch=1)


def test_without_a_peak_there_is_no_bound():
    assert FOUND.bound(Work(1, 1), precision="bf16", threads=1) is None
    assert Roofline((), (), error="killed").bound(Work(1, 1), precision="fp32", threads=1) is None


def test_the_work_of_a_bundle_is_its_weights_once_and_each_picture(draft, bundle):
    manifest = archive.read(bundle).manifest
    manifest = manifest.model_copy(update={"model": manifest.model.model_copy(update={"macs": 1000})})
    picture = manifest.preprocess.size**2 * manifest.preprocess.channels
    answer = len(manifest.classes) * 2 * 4

    one, eight = (work_of(manifest, precision="fp32", batch=batch) for batch in (1, 8))

    assert (one.macs, eight.macs) == (1000, 8000)
    assert one.moved_bytes == 4 * manifest.model.parameters + picture + answer
    assert eight.moved_bytes - one.moved_bytes == 7 * (picture + answer)
    int8 = work_of(manifest, precision="int8", batch=1)
    assert one.moved_bytes - int8.moved_bytes == 3 * manifest.model.parameters


def test_each_row_gets_its_share_and_each_way_its_bound(bundle):
    manifest = archive.read(bundle).manifest
    manifest = manifest.model_copy(update={"model": manifest.model.model_copy(update={"macs": 50_000_000})})
    rows = [
        {"engine": engine, "precision": precision, "threads": threads, "batch": 1, "p50_ms": p50}
        for engine, precision, threads, p50 in [
            ("a", "fp32", 1, 2.0), ("b", "fp32", 1, 4.0), ("a", "fp32", 4, 1.0), ("a", "bf16", 1, 1.0),
        ]
    ]  # fmt: skip

    document = with_shares(rows, manifest, FOUND)

    assert [row["roofline_share"] for row in rows] == [
        pytest.approx(0.5), pytest.approx(0.25), pytest.approx(1 / 3), None,
    ]  # fmt: skip
    assert [(b["precision"], b["threads"], b["bound_ms"]) for b in document["bounds"]] == [
        ("fp32", 1, pytest.approx(1.0)),
        ("fp32", 4, pytest.approx(1 / 3)),
    ]
    assert document["peaks"][0]["macs_per_second"] == 50e9


def test_a_bundle_whose_work_nobody_counted_has_no_share(bundle):
    manifest = archive.read(bundle).manifest
    manifest = manifest.model_copy(update={"model": manifest.model.model_copy(update={"macs": None})})
    rows = [{"precision": "fp32", "threads": 1, "batch": 1, "p50_ms": 1.0}]

    assert with_shares(rows, manifest, FOUND)["bounds"] == []
    assert rows[0]["roofline_share"] is None


def test_a_measurement_that_dies_is_told_and_not_raised(monkeypatch):
    monkeypatch.setattr(roofline, "_TRIAL", "foveal.bundle.nowhere")
    roofline.roofline.cache_clear()
    found = roofline.roofline()
    roofline.roofline.cache_clear()

    assert "nowhere" in found.error
    assert found.as_json()["peaks"] == []

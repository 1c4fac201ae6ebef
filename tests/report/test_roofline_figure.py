"""The figure of the roofline: a point for each candidate whose bound is known, and words beside it."""

import copy

import pytest

from foveal.report import roofline_words
from foveal.report.page import bench_page
from foveal.report.roofline_figure import roofline_figure, variants_figure


def peak(precision, threads, rate):
    return {
        **{"precision": precision, "threads": threads, "engine": "an engine"},
        **{"macs_per_second": rate, "spread": 0.12, "n": 90},
    }


def level(name, threads, rate):
    return {"name": name, "threads": threads, "bytes_per_second": rate, "spread": 0.1}


def row(threads, p50, share):
    interval = {"value": p50, "low": p50, "high": p50, "n": 9, "method": "order-statistic"}
    return {
        **{"engine": "onnxruntime", "precision": "fp32", "threads": threads, "batch": 1, "p50_ms": p50},
        **{"p99_ms": p50, "images_per_second": 1 / p50, "rss_bytes": None, "eligible": True},
        **{"roofline_share": share, "intervals": {"p50_ms": interval}},
    }


def bound(threads, milliseconds):
    return {
        **{"precision": "fp32", "threads": threads, "batch": 1, "macs": 50_000_000, "moved_bytes": 1_000_000},
        "bound_ms": milliseconds,
    }


DOCUMENT = {
    "bundle": "a.foveal",
    "size_bytes": 1,
    "machine": {"cpu": "A CPU", "cores_usable": 2},
    "images": {"path": None, "n": 48},
    "engines": [row(1, 2.0, 0.5), row(2, 0.8, 0.625), row(3, 1.0, None)],
    "choices": [{**row(2, 0.8, 0.625), "equally_fast": [], "next": None, "margin": None}],
    "noise": {"largest_share": 0.02, "rounds": 20},
    "postprocess_ms": None,
    "stages": [],
    "warnings": [],
    "roofline": {
        "peaks": [peak("fp32", 1, 50e9), peak("fp32", 2, 100e9), peak("int8", 2, 400e9)],
        "bandwidth": [level("memory", 1, 10e9), level("L2", 2, 100e9), level("memory", 2, 20e9)],
        "sweep": [],
        "skipped": [{"engine": "openvino bf16", "why": "it is not installed"}],
        "error": None,
        "bounds": [bound(1, 1.0), bound(2, 0.5)],
    },
}


def test_a_point_is_the_work_over_the_time_and_over_the_bytes_the_nearest_to_its_roof_first():
    chart = roofline_figure(DOCUMENT)

    rows = [dict(zip(chart.columns, one, strict=True)) for one in chart.rows]
    assert [one["threads"] for one in rows] == [2, 1], "that whose bound nobody knows is left out"
    assert rows[0]["macs_per_byte"] == 50
    assert rows[0]["macs_per_second"] == pytest.approx(50e6 / 0.8e-3)
    assert "onnxruntime fp32 with 2 threads, batch 1: 62% of its roof" in chart.says
    assert chart.svg == roofline_figure(DOCUMENT).svg


def test_the_roofs_are_named_and_no_formula_is_left_in_the_labels():
    svg = roofline_figure(DOCUMENT).svg

    for name in ("fp32", "int8", "L2", "memory"):
        assert f">{name}<" in svg
    assert "mathdefault" not in svg


@pytest.mark.parametrize(
    ("threads", "said"), [((1,), "1 thread,"), ((1, 2), "2 threads,"), ((3,), "2 threads,")]
)
def test_the_roofs_are_those_of_as_many_threads_as_the_candidates_have(threads, said):
    document = copy.deepcopy(DOCUMENT)
    document["engines"] = [row(count, 1.0, 0.5) for count in threads]
    document["roofline"]["bounds"] = [bound(count, 0.5) for count in threads]

    assert f"roofs with {said}" in roofline_figure(document).title


@pytest.mark.parametrize("lacking", ["roofline", "bounds"])
def test_without_a_measurement_there_is_no_figure_and_the_page_is_whole(lacking):
    document = copy.deepcopy(DOCUMENT)
    if lacking == "roofline":
        del document["roofline"]
    else:
        document["roofline"]["bounds"] = []

    assert roofline_figure(document) is None
    assert bench_page(document).count("<svg") == 1
    assert bench_page(DOCUMENT).count("<svg") == 2


def test_the_peaks_of_all_threads_are_one_sentence():
    assert roofline_words.peaks(DOCUMENT["roofline"]) == (
        "fp32 100 G multiply-adds/s (an engine), int8 400 G multiply-adds/s (an engine); L2 100 GB/s, "
        "memory 20 GB/s; with 2 threads, the best of many calls (the median took up to 12% longer)"
    )
    assert roofline_words.peaks({"peaks": [], "error": "killed"}) == "not measured: killed"


def test_every_measurement_has_a_line_and_what_was_not_measured_its_reason():
    lines = roofline_words.lines(DOCUMENT["roofline"])

    assert len(lines) == 3 + 3 + 1
    assert " ".join(lines[0].split()) == (
        "fp32 1 thread 50 G multiply-adds/s an engine, median call 12% longer, n=90"
    )
    assert lines[-1] == "openvino bf16: it is not installed"
    assert roofline_words.lines({**DOCUMENT["roofline"], "error": "killed"})[-1] == "not measured: killed"


def one_variant(name, p50, *, code="feasible", pareto=True, **changes):
    return {
        **{"name": name, "code": code, "pareto": pareto, "threads": 1, "computed": "fp32"},
        **{"macs": 50_000_000, "moved_bytes": 1_000_000, "bound_ms": 1.0, "roofline_share": 1 / p50},
        "latency_ms": {"p50": p50},
        **changes,
    }


def test_a_variant_is_a_point_too_and_its_roof_that_of_its_threads():
    beaten = one_variant("beaten", 4.0, pareto=False, bound_ms=None, roofline_share=None)
    nameless = one_variant("uncounted", 1.0, macs=None)
    rows = [one_variant("original", 2.0, code="original"), one_variant("best", 1.25), beaten, nameless]

    chart = variants_figure({"variants": rows, "roofline": DOCUMENT["roofline"]})

    found = [dict(zip(chart.columns, one, strict=True)) for one in chart.rows]
    assert [one["name"] for one in found] == ["original", "best", "beaten"]
    assert found[1]["macs_per_second"] == pytest.approx(50e6 / 1.25e-3)
    assert found[1]["macs_per_byte"] == 50
    assert "with 1 thread;" in chart.title
    assert "fp32 50 G multiply-adds/s" in chart.says, "the roof of one thread"
    assert "original 50%; best 80%" in chart.says
    assert ">original<" in chart.svg
    assert ">beaten<" not in chart.svg


@pytest.mark.parametrize("roof", [None, {**DOCUMENT["roofline"], "peaks": [], "error": "it died"}])
def test_without_roofs_nothing_is_drawn(roof):
    assert variants_figure({"variants": [one_variant("original", 2.0)], "roofline": roof}) is None

"""The page of a bench: every candidate is drawn with its interval, and nothing is loaded or believed."""

import copy
import re

import pytest

from foveal.report import speed_words
from foveal.report.page import bench_page, training_page, with_speed
from foveal.report.speed import speed


def row(threads: int, batch: int, p50: float, **changes):
    interval = {"value": p50, "low": 0.9 * p50, "high": 1.1 * p50, "n": 20, "method": "order-statistic"}
    return {
        **{"engine": "onnxruntime", "precision": "fp32", "threads": threads, "batch": batch},
        **{
            "p50_ms": p50,
            "p99_ms": 2 * p50,
            "images_per_second": 1000 * batch / p50,
            "rss_bytes": 90_000_000,
        },
        **{"eligible": True, "intervals": {"p50_ms": interval, "p99_ms": interval}},
        **changes,
    }


MARGIN = {"value": 0.25, "low": 0.2, "high": 0.31, "n": 20, "noise_share": 0.02, "real": True}
SLOWER = {"engine": "onnxruntime", "precision": "fp32", "threads": 2}
DOCUMENT = {
    "bundle": "runs/train-1/parts.foveal",
    "size_bytes": 1_000_000,
    "machine": {"cpu": "A <b>CPU</b>", "cores_usable": 2},
    "images": {"kind": "data", "path": "my <i>data</i>", "n": 256, "unreadable": 0},
    "engines": [row(1, 1, 0.8), row(2, 1, 1.0), row(1, 8, 4.0)],
    "choices": [
        {**row(1, 1, 0.8), "equally_fast": [], "next": SLOWER, "margin": MARGIN},
        {**row(1, 8, 4.0), "equally_fast": [SLOWER], "next": None, "margin": None},
    ],
    "noise": {"largest_share": 0.021, "rounds": 20},
    "postprocess_ms": None,
    "stages": [{"name": "decode", "value": 1.25, "low": 1.2, "high": 1.3, "n": 256}],
    "warnings": ["the <u>machine</u> was busy"],
}


def test_the_drawing_has_a_row_for_each_candidate_the_fastest_a_picture_first():
    chart = speed(DOCUMENT)

    assert chart.says.startswith("onnxruntime fp32 with 1 thread, batch 8: 0.5 ms; ")
    assert chart.rows[0] == ("onnxruntime", "fp32", 1, 8, 4.0, 8.0, 2000.0, 90_000_000)
    assert "n=20 rounds" in chart.title
    assert chart.svg == speed(DOCUMENT).svg


def test_an_interval_with_an_open_end_is_drawn_up_to_its_value():
    document = copy.deepcopy(DOCUMENT)
    document["engines"][0]["intervals"]["p50_ms"]["high"] = None

    assert "onnxruntime fp32, 1 thr., batch 1" in speed(document).svg


def test_the_page_says_what_to_take_by_how_much_and_on_what():
    page = bench_page(DOCUMENT)

    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    for said in (
        "For 1 picture a call: onnxruntime fp32 with 1 thread, 0.8 ms, 1,250 images/s; "
        "onnxruntime fp32 with 2 threads takes 25% longer (95% interval 20% to 31%, n=20 rounds).",
        "For 8 pictures a call: onnxruntime fp32 with 1 thread, 4 ms, 2,000 images/s; "
        "no real difference to onnxruntime fp32 with 2 threads.",
        "The same twice differed by up to 2.1% (20 rounds): less is no real difference, "
        "nor is anything below 3%.",
        "One file: decode 1.25 ms (medians, one thread, n=256).",
    ):
        assert said in text


def test_the_page_escapes_and_loads_nothing():
    page = bench_page(DOCUMENT)

    for foreign in ("<b>CPU", "<i>data", "<u>machine"):
        assert foreign not in page
    assert not re.search(r"""(?:src|href)\s*=\s*["'](?!#|data:)""", page)
    assert "<script" not in page


def test_the_speed_goes_before_the_origin_of_a_training_page_and_leaves_the_rest(document, history):
    page = training_page(document, history=history, gallery=[], pictures={})

    extended = with_speed(page, DOCUMENT)

    assert re.findall(r'<section id="(\w+)"', extended)[-3:] == ["robustness", "speed", "origin"]
    start = extended.index('<section id="speed"')
    end = extended.index('<section id="origin"')
    assert extended[:start] + extended[end:] == page


@pytest.mark.parametrize(
    ("images", "said"),
    [
        ({"path": None, "n": 48}, "48 synthetic pictures"),
        ({"path": "here", "n": 1}, "1 picture of here"),
    ],
)
def test_what_was_run_is_said(images, said):
    assert speed_words.run_on({"images": images}) == said


def test_few_rounds_and_no_files_are_said():
    choice = {**DOCUMENT["choices"][0], "margin": {**MARGIN, "low": None}}

    assert "too few rounds for an interval, n=20" in speed_words.choice(choice)
    assert speed_words.stages({"stages": []}) is None

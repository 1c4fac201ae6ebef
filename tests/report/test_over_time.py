"""report.over_time: every number of the curve is in the drawing's table, every share with its interval."""

import re

import numpy as np
import pytest

from foveal.evaluate.over_time import read, summary
from foveal.report.over_time import over_time, sentences
from foveal.report.page import with_over_time


@pytest.fixture
def document():
    rng = np.random.default_rng(0)
    spikes = (rng.random((40, 5, 3)) < 0.1).astype(np.float32)
    evidence = rng.normal(size=spikes.shape).astype(np.float32)
    return {
        **summary([read(evidence, evidence, spikes)], rng.integers(0, 3, 40)),
        "measured_on": "network",
        "spikes_per_image": [10.0, 20.0, 30.0, 40.0, 1234.0],
        "operations_per_image": [30.0, 60.0, 90.0, 120.0, 3702.0],
        "multiply_adds": 9408,
    }


def test_the_chart_holds_every_step_with_its_intervals(document):
    chart = over_time(document)

    assert [row[0] for row in chart.rows] == [1, 2, 3, 4, 5]
    assert len(chart.columns) == len(chart.rows[0])
    for row, truth in zip(chart.rows, document["accuracy"]["first_spike"], strict=True):
        found = dict(zip(chart.columns, row, strict=True))
        assert (found["first_spike"], found["first_spike_low"], found["first_spike_high"]) == (
            truth["value"],
            truth["low"],
            truth["high"],
        )
    assert chart.svg == over_time(document).svg, "the same bytes on every run"


def test_the_sentences_state_shares_with_n_and_claim_no_energy(document):
    said = " ".join(sentences(document))

    assert said.count("n=40") == 7
    assert "1,234 spikes per image" in said
    assert "9,408 multiply-adds" in said
    assert "no measurement of energy" in said


def test_without_any_output_spike_the_page_says_that_the_potential_decides(document):
    silent = np.zeros((40, 5, 3), np.float32)
    silent_document = document | summary([read(silent, silent, silent)], np.zeros(40, np.int64))

    assert "so the potential decides" in sentences(silent_document)[1]


def test_the_section_comes_before_the_last_one(document):
    page = with_over_time('<main><section id="origin"></section></main>', document)

    assert re.findall(r'<section id="([\w-]+)"', page) == ["over-time", "origin"]
    assert "95% interval" in page

"""evaluate.report on a predictor: every picture once, in order, unreadable ones named, disturbed ones too."""

import json
import time
from dataclasses import replace

import numpy as np
import pytest

import foveal.evaluate
from foveal.core.errors import DataError, UsageError
from foveal.evaluate.answers import answers
from foveal.evaluate.held_out import HeldOut, sample
from foveal.evaluate.reporting import report
from foveal.evaluate.robustness import NAMES, SEVERITY, robustness


def test_public_names_are_loaded_on_first_use():
    assert foveal.evaluate.report is report
    assert foveal.evaluate.HeldOut is HeldOut
    assert foveal.evaluate.Report.__name__ == "Report"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        foveal.evaluate.nothing  # noqa: B018


@pytest.mark.parametrize("threads", [1, 3])
def test_answers_come_in_the_order_of_the_pictures(predictor, coloured, threads):
    held_out = coloured(200)

    found = answers(predictor, held_out, threads=threads)

    alone = np.concatenate([predictor.run(held_out.read(i)[None]).probabilities for i in range(200)])
    np.testing.assert_allclose(found.probabilities, alone, atol=1e-6)
    assert (found.positions == np.arange(200)).all()
    assert found.unreadable == ()
    assert found.seconds > 0


def test_pictures_that_cannot_be_read_are_named_and_in_no_number(predictor, coloured):
    held_out = coloured(100, broken=(3, 40, 99))

    found = report(predictor, held_out, threads=2)

    assert found.images == 97
    assert found.metrics.accuracy.value > 0.7, "the labels are those of the pictures that are left"
    assert found.robustness[-1].accuracy.value > 0.7
    assert [source for source, _ in found.unreadable] == ["3.png", "40.png", "99.png"]
    listed = found.as_json()["unreadable"]
    assert listed[0] == {
        "source": "3.png",
        "error": {"code": "truncated", "message": "picture 3 ends early", "hint": None, "path": "3.png"},
    }


def test_a_whole_unreadable_batch_does_not_matter(predictor, coloured):
    found = answers(predictor, coloured(100, broken=tuple(range(40))), threads=2)

    assert (found.positions == np.arange(40, 100)).all()


def test_if_no_picture_can_be_read_the_first_reason_is_given(predictor, coloured):
    with pytest.raises(DataError, match="not one of 5 pictures can be used; the first: picture 0 ends early"):
        answers(predictor, coloured(5, broken=tuple(range(5))), threads=1)


def test_the_report_says_with_what_it_was_measured(predictor, coloured):
    document = report(predictor, coloured(60), seed=1, threads=2).as_json()

    facts = document["provenance"]
    assert (document["digest"], document["split"]) == ("d" * 64, "test")
    assert document["provenance"]["precision"] == "fp32"
    assert (facts["engine"], facts["threads"], facts["fingerprint"]) == ("pencil 1.0", 2, None)
    assert facts["images_per_second"] > 0
    assert facts["seconds"] > 0
    json.dumps(document, allow_nan=False)


def test_two_measurements_differ_in_time_only(predictor, coloured):
    one, other = (report(predictor, coloured(60), threads=threads).as_json() for threads in (1, 2))

    one["provenance"] = other["provenance"] = None
    assert one == other


def test_every_corruption_is_measured_and_costs_something(predictor, coloured):
    held_out = coloured(300)
    images, labels = sample(held_out, np.arange(300), at_most=300)

    clean, *found = robustness(predictor, images, labels)

    assert (clean.corruption, clean.severity) == ("none", 0)
    assert clean.accuracy == report(predictor, held_out).metrics.accuracy
    assert [one.corruption for one in found] == list(NAMES)
    assert {(one.severity, one.accuracy.n) for one in found} == {(SEVERITY, 300)}
    assert all(one.accuracy.value <= clean.accuracy.value + 0.05 for one in found)
    assert (clean, *found) == robustness(predictor, images, labels, threads=2)


def test_a_sample_is_from_all_over_the_data_and_reads_nothing_else(coloured):
    held_out = coloured(1203)
    read = []
    watched = HeldOut(held_out.labels, held_out.sources, lambda i: (read.append(i), held_out.read(i))[1])

    images, labels = sample(watched, np.arange(1203), at_most=500)

    assert len(images) == len(labels) == 500
    assert (min(read), max(read), len(set(read))) == (0, 1202, 500)


def test_robustness_chooses_among_the_pictures_that_could_be_read(predictor, coloured):
    held_out = coloured(1000, broken=tuple(range(0, 1000, 2)))

    found = report(predictor, held_out)

    assert {one.accuracy.n for one in found.robustness} == {500}
    assert len(sample(coloured(10, broken=(1,)), np.arange(10), at_most=10)[0]) == 9, "gone meanwhile"
    with pytest.raises(UsageError, match="at least one readable picture"):
        sample(coloured(2, broken=(0, 1)), np.arange(2), at_most=2)


def test_the_report_says_how_many_pictures_are_independent(predictor, coloured):
    alone, tracks = coloured(60), replace(coloured(60, broken=(0, 1, 2)), units=np.arange(60) // 3)

    assert report(predictor, alone).provenance["independent_images"] is None
    assert report(predictor, tracks).provenance["independent_images"] == 19


def test_progress_reaches_the_end_of_both_stages(predictor, coloured):
    said = []

    report(
        predictor,
        coloured(100),
        progress=lambda stage, done, total, note="": said.append((stage, done, total)),
    )

    assert ("measuring", 100, 100) in said
    assert said[-1] == ("disturbing", 4, 4)


def test_an_interruption_does_not_wait_for_the_rest(predictor, coloured, monkeypatch):
    held_out, read = coloured(1500), []
    monkeypatch.setattr("foveal.evaluate.answers._REPORT_SECONDS", -1)

    def slow(position):
        read.append(position)
        time.sleep(0.001)
        return held_out.read(position)

    def interrupt(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        answers(predictor, HeldOut(held_out.labels, held_out.sources, slow), threads=1, progress=interrupt)
    assert len(read) < 1000


def test_slow_pictures_are_reported_on_the_way(predictor, coloured, monkeypatch):
    monkeypatch.setattr("foveal.evaluate.answers._REPORT_SECONDS", -1)
    said = []

    answers(predictor, coloured(70), threads=1, progress=lambda *what: said.append(what[1]))

    assert said == [32, 64, 70, 70]

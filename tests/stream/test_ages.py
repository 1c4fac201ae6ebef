"""Percentiles of ages: of all, of the first minute, of the last; and time that only goes forward."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foveal.stream import ages
from foveal.stream.ages import Ages, Spread
from foveal.stream.summary import Summary, told
from foveal.stream.timeline import Timeline

AGES = st.lists(st.floats(0.01, 1e5), min_size=1, max_size=300)


@given(AGES)
def test_percentiles_of_all_are_those_of_the_sorted_list_to_half_a_percent(values) -> None:
    kept = Ages()
    for index, value in enumerate(values):
        kept.add(index, value)

    spread = kept.all()
    for share, found in ((0.5, spread.p50), (0.99, spread.p99)):
        exact = np.quantile(values, share, method="inverted_cdf")
        assert found == pytest.approx(exact, rel=0.006)
    assert spread.largest == max(values)


def test_the_first_minute_and_the_last_one_are_what_they_say() -> None:
    kept = Ages()
    for second in range(300):
        kept.add(1000.0 + second, 5.0 if second < 60 else 50.0 if second < 240 else 500.0)

    assert kept.first_minute().largest == 5.0
    assert kept.last_minute().p50 == 500.0
    assert kept.all().p50 == pytest.approx(50, rel=0.006)
    assert kept.last_minute(1350.0).p50 == 500.0
    assert kept.last_minute(1360.0) is None  # the last one was at 1299


def test_memory_does_not_grow_with_the_stream(monkeypatch) -> None:
    monkeypatch.setattr(ages, "_MOST", 50)
    kept = Ages()
    for index in range(5000):
        kept.add(index / 1000, 1 + index % 7)

    assert len(kept._first) == len(kept._latest) == 50
    assert len(kept._scale) == 7


def test_without_frames_there_are_no_ages() -> None:
    assert Ages().all() is Ages().last_minute() is None
    assert Summary().as_json()["age_ms"] is None


@given(st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), max_size=40), st.floats(0.001, 1))
def test_time_never_goes_back_and_begins_at_0(times_told, step) -> None:
    timeline = Timeline(step)
    times = [timeline.at(time) for time in times_told]

    assert times[:1] in ([], [0.0])
    assert all(b >= a for a, b in itertools.pairwise(times))


@given(st.lists(st.floats(0, 1e4), min_size=1, max_size=30).map(sorted), st.floats(-1e3, 1e3))
def test_time_that_goes_forward_is_kept_with_its_gaps(times_told, offset) -> None:
    timeline = Timeline(0.04)

    assert [timeline.at(t + offset) for t in times_told] == pytest.approx(
        [t - times_told[0] for t in times_told], abs=1e-6
    )


def test_summary_says_what_a_person_needs() -> None:
    summary = Summary(frames=0, too_old=9, captured=12, dropped=3, reconnects=2, seconds=3.0)

    text = "\n".join(summary.words())
    assert "0 frames, 3 dropped, 9 too old" in text
    assert "--max-latency" in text
    assert "2 times" in text


def test_ages_are_written_as_people_write_them() -> None:
    assert told(Spread(8.414, 1110.0, 704_000.0)) == "p50 8.41 ms, p99 1.11 s, largest 11 min 44 s"
    assert told(Spread(999.4, 999.8, 1000.0)) == "p50 999 ms, p99 1 s, largest 1 s"

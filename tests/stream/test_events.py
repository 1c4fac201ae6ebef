"""From flickering answers to events: compared with what the definition says, frame by frame."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foveal.stream.events import Event, Events, Sight

LABELS = st.sampled_from(["a", "b", "c", None])
SEQUENCES = st.lists(LABELS, max_size=60)
HOLDS = st.integers(1, 7)


def told(labels: list[str | None], hold: int, *, end: bool = True) -> list[Event]:
    events, found = Events(hold), []
    for index, label in enumerate(labels):
        found += events.see(Sight(index, index / 10, label, 0.5 + index / 1000))
    return found + (events.end() if end else [])


def states(labels: list[str | None], hold: int) -> list[str | None]:
    """The state after each frame, by its definition: what the last `hold` frames agree on, else as before."""
    found: list[str | None] = []
    for index in range(len(labels)):
        last = labels[max(0, index - hold + 1) : index + 1]
        agree = len(last) == hold and all(label == last[0] for label in last)
        found.append(last[0] if agree else (found[-1] if found else None))
    return found


@given(SEQUENCES, HOLDS)
def test_events_are_the_changes_of_the_state_by_its_definition(labels, hold) -> None:
    expected, before = [], None
    for index, state in enumerate(states(labels, hold)):
        if state != before:
            first = index - hold + 1
            expected += [("leave", before, first)] * (before is not None)
            expected += [("enter", state, first)] * (state is not None)
        before = state
    if before is not None:
        expected.append(("leave", before, len(labels) - 1))

    assert [(e.what, e.label, e.frame) for e in told(labels, hold)] == expected


@given(SEQUENCES, HOLDS)
def test_two_changes_are_at_least_hold_frames_apart(labels, hold) -> None:
    frames = sorted({event.frame for event in told(labels, hold, end=False)})

    assert all(b - a >= hold for a, b in itertools.pairwise(frames))


@given(SEQUENCES, HOLDS)
def test_every_state_that_is_entered_is_left_with_its_time_its_frames_and_its_confidence(
    labels, hold
) -> None:
    events = told(labels, hold)
    enters, leaves = (
        [e for e in events if e.what == "enter"],
        [e for e in events if e.what == "leave"],
    )

    assert [e.label for e in enters] == [e.label for e in leaves]
    for enter, leave in zip(enters, leaves, strict=True):
        until = leave.frame if leave is not leaves[-1] or states(labels, hold)[-1] is None else len(labels)
        seen = [i for i in range(enter.frame, until) if labels[i] == enter.label]
        assert leave.start_s == enter.start_s == enter.frame / 10
        assert leave.duration_s == pytest.approx((leave.frame - enter.frame) / 10)
        assert leave.frames == len(seen)
        assert leave.confidence == pytest.approx(0.5 + sum(seen) / len(seen) / 1000)


@given(st.sampled_from(["a", None]), st.integers(0, 50), HOLDS)
def test_a_constant_answer_is_one_event_at_most(label, length, hold) -> None:
    entered = [e for e in told([label] * length, hold, end=False) if e.what == "enter"]

    assert len(entered) == (label is not None and length >= hold)


@given(SEQUENCES, HOLDS, st.data())
def test_fewer_declined_frames_than_hold_in_a_row_change_nothing_in_a_state(labels, hold, data) -> None:
    calm = ["a"] * hold
    gap = data.draw(st.integers(0, hold - 1))

    events = told([*calm, *[None] * gap, *calm], hold, end=False)

    assert [(e.what, e.label) for e in events] == [("enter", "a")]


def test_an_event_says_in_json_what_it_knows() -> None:
    enter, leave = told(["a", "a", None, None], 2)

    assert enter.as_json() == {
        "what": "enter",
        "label": "a",
        "frame": 0,
        "start_s": 0.0,
        "confidence": 0.5005,
    }
    assert list(leave.as_json()) == [
        *("what", "label", "frame", "start_s", "duration_s", "frames", "confidence"),
    ]
    assert leave.as_json()["duration_s"] == 0.2


def test_without_frames_there_is_nothing_to_end() -> None:
    assert Events(3).end() == []

"""evaluate.over_time: three ways to read spikes, none of which prefers a class for its number."""

import numpy as np
import pytest

from foveal.evaluate.over_time import READOUTS, read, summary


def one(spikes, evidence=None, potentials=None):
    """Return readings of a single image from lists (T, K)."""
    spikes = np.array([spikes], np.float32)
    zeros = np.zeros_like(spikes)
    evidence = zeros if evidence is None else np.array([evidence], np.float32)
    return read(evidence, zeros if potentials is None else np.array([potentials], np.float32), spikes)


def test_the_first_spike_decides_and_nothing_that_comes_later():
    found = one([[0, 0, 0], [0, 0, 1], [1, 1, 0], [1, 1, 0]], evidence=[[1, 0, 0]] * 4)

    assert found.answers["first_spike"].tolist() == [[0, 2, 2, 2]], "before it, the evidence"
    assert found.first.tolist() == [2]
    assert not found.ties["first_spike"][0]


def test_of_several_first_spikes_the_highest_potential_wins_not_the_lowest_number():
    found = one([[1, 1, 1]], potentials=[[1.1, 1.3, 1.2]])

    assert found.answers["first_spike"].tolist() == [[1]]
    assert found.ties["first_spike"][0]


def test_most_spikes_win_and_ties_go_to_the_evidence():
    found = one([[0, 1, 0], [0, 0, 1], [0, 0, 1]], evidence=[[9, 0, 1]] * 3)

    assert found.answers["spike_count"].tolist() == [[1, 2, 2]]
    assert not found.ties["spike_count"][0]
    assert found.output_spikes.tolist() == [3]
    assert found.tied.tolist() == [[False, True, False]]


def test_without_any_spike_all_three_answer_with_the_evidence():
    found = one([[0, 0, 0]] * 2, evidence=[[0, 1, 0], [0, 0, 1]])

    assert {name: found.answers[name].tolist() for name in READOUTS} == {name: [[1, 2]] for name in READOUTS}
    assert found.first.tolist() == [0]
    assert all(found.ties[name][0] for name in found.ties)


def test_no_readout_prefers_a_class_for_its_number():
    """Renumbering the classes renumbers the answers; an argmax over counts would fail here."""
    rng = np.random.default_rng(0)
    spikes = (rng.random((300, 5, 4)) < 0.2).astype(np.float32)
    evidence, potentials = rng.normal(size=(2, *spikes.shape)).astype(np.float32)
    order = np.array([2, 0, 3, 1])

    before = read(evidence, potentials, spikes)
    after = read(evidence[..., order], potentials[..., order], spikes[..., order])

    for name in READOUTS:
        assert np.array_equal(order[after.answers[name]], before.answers[name])
    assert before.ties["spike_count"].mean() > 0.2


def test_the_summary_counts_over_all_batches():
    rng = np.random.default_rng(1)
    spikes = (rng.random((50, 6, 3)) < 0.1).astype(np.float32)
    evidence = rng.normal(size=spikes.shape).astype(np.float32)
    labels = rng.integers(0, 3, 50)

    whole = summary([read(evidence, evidence, spikes)], labels)
    parts = summary(
        [read(evidence[s], evidence[s], spikes[s]) for s in (slice(0, 20), slice(20, 50))], labels
    )

    assert parts == whole
    assert whole["accuracy"]["potential"][-1]["value"] == (evidence[:, -1].argmax(1) == labels).mean()
    counts = spikes.cumsum(1)
    alone = (counts.argmax(2) == labels[:, None]) & ((counts == counts.max(2, keepdims=True)).sum(2) == 1)
    assert [one["value"] for one in whole["accuracy"]["spikes_alone"]] == alone.mean(0).tolist()
    decided = [one["value"] for one in whole["decided"]]
    assert decided == sorted(decided)
    assert decided[-1] == spikes.any(axis=(1, 2)).mean()


@pytest.mark.parametrize(
    ("right", "step"), [([0.9, 0.9, 0.9], 1), ([0.5, 0.895, 0.9], 2), ([0.9, 0.8, 0.9], 3)]
)
def test_enough_is_the_step_from_which_it_stays_within_a_point(right, step):
    labels = np.zeros(200, np.int64)
    evidence = np.zeros((200, 3, 2), np.float32)
    for t, share in enumerate(right):
        evidence[round(share * 200) :, t, 1] = 1

    found = summary([read(evidence, evidence, np.zeros_like(evidence))], labels)

    assert found["enough"] == {"step": step, "within": 0.01}
    assert found["decision_step"] is None

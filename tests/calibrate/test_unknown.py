"""The rule for unknown pictures: its promise, and which score is chosen."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from foveal.calibrate.unknown import LEAST_BYTES, choose, most_bytes, rule
from foveal.calibrate.unknowns._bf16 import in_bf16
from foveal.calibrate.unknowns._score import Answers, Known
from foveal.calibrate.unknowns.vim import vim
from foveal.core.errors import UsageError
from foveal.metrics.auroc import auroc
from foveal.metrics.clopper_pearson import clopper_pearson


@pytest.mark.parametrize("alpha", [0.1, 0.05])
def test_known_pictures_are_rejected_as_rarely_as_promised(alpha: float) -> None:
    """Over repetitions the share is at most alpha; the uncorrected quantile fails the same test."""
    rng, n, repetitions, new = np.random.default_rng(0), 29, 3000, 20
    scores = rng.gamma(2, size=(repetitions, n + new)).astype(np.float32)

    def rejected(thresholds: np.ndarray) -> tuple[float, float]:
        wrong = int((scores[:, n] > thresholds).sum())  # one new picture for each draw: independent
        found = clopper_pearson(wrong, repetitions)
        return found.low, found.high

    kept = np.array([rule("energy", row[:n], alpha=alpha).threshold for row in scores])
    naive = np.array([np.sort(row[:n])[int(np.floor(n * (1 - alpha))) - 1] for row in scores])

    assert rejected(kept)[0] <= alpha
    assert rejected(naive)[0] > alpha
    # With k the rank, the expected share is at least (n + 1 - k - 1) / (n + 1): the threshold is not idle.
    assert rejected(kept)[1] >= alpha - 2 / (n + 1)


def test_too_few_pictures_prove_no_threshold() -> None:
    assert rule("energy", np.arange(18, dtype=np.float32)).threshold is None
    assert rule("energy", np.arange(19, dtype=np.float32)).threshold == 18
    assert rule("energy", np.empty(0, np.float32)).n == 0


@given(st.lists(st.floats(-100, 100, width=32), min_size=19, max_size=60))
def test_the_threshold_lies_between_scores_and_rejects_at_most_its_share(values: list[float]) -> None:
    scores = np.array(values, np.float32)

    found = rule("energy", scores)

    assert found.threshold is not None
    assert (scores > found.threshold).mean() <= 0.05
    above = scores[scores > found.threshold]
    assert not len(above) or found.threshold >= np.sort(scores)[::-1][len(above)]


@pytest.mark.parametrize(
    ("scores", "alpha"),
    [(np.zeros((3, 2)), 0.1), (np.array([np.nan]), 0.1), (np.array([np.inf]), 0.1), (np.zeros(3), 0.0)],
)
def test_what_is_no_score_or_share_is_refused(scores: np.ndarray, alpha: float) -> None:
    with pytest.raises(UsageError):
        rule("energy", scores.astype(np.float32), alpha=alpha)


def clustered(rng: np.random.Generator, shift: float, count: int = 200) -> Answers:
    """Return answers whose logits say nothing, and whose features do where `shift` is large."""
    features = rng.normal(size=(count, 8)) + 5
    features[:, 1::2] -= shift
    logits = rng.normal(size=(count, 2))
    return Answers(features.astype(np.float32), logits.astype(np.float32))


def test_parameters_are_taken_where_they_bring_more_than_a_hundredth() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 2
    known = Known(clustered(rng, 0), labels)
    tuning = clustered(rng, 0)

    useful = choose(known, tuning, {"far": clustered(rng, 8)})
    useless = choose(known, tuning, {"same": tuning})

    assert useful.score.name in ("knn", "vim")
    assert useful.areas[useful.score.name] > max(useful.areas[n] for n in ("msp", "energy", "gen")) + 0.01
    assert not useless.score.fitted


def test_what_has_learned_from_a_kind_is_judged_on_kinds_it_has_not_seen() -> None:
    """Each kind moves one feature; having seen it makes it easy, and others do not help."""
    rng = np.random.default_rng(0)

    def kind(feature: int | None) -> Answers:
        features = rng.normal(size=(150, 8)) + 10
        if feature is not None:
            features[:, feature] += 2.5
        return Answers(features.astype(np.float32), rng.normal(size=(150, 2)).astype(np.float32))

    seen = {f"kind{i}": kind(i) for i in range(3)}
    known = Known(kind(None), np.arange(150) % 2, seen)

    found = choose(known, kind(None), {f"kind{i}": kind(i) for i in range(3)})

    from foveal.calibrate.unknowns.exposed import exposed

    informed = exposed(known)
    assert informed is not None
    tuning, strange = kind(None), kind(0)
    aware = auroc(*(informed.of(each) for each in (strange, tuning))).value
    assert found.areas["exposed"] < aware - 0.05


def flat(rng: np.random.Generator, off: float, count: int = 200) -> Answers:
    """Return answers whose features leave a plane by `off`, and whose logits say nothing."""
    plane = np.linalg.qr(np.random.default_rng(9).normal(size=(8, 8)))[0]
    inside = rng.normal(size=(count, 2)) * 3 + 50
    away = rng.normal(size=(count, 6)) * off
    features = np.concatenate([inside, away], axis=1) @ plane
    return Answers(features.astype(np.float32), rng.normal(size=(count, 2)).astype(np.float32))


def test_a_score_that_rounding_turns_against_known_pictures_is_left_out() -> None:
    """In float32 it tells far more; in bf16, where features move by a 256th, it rejects what is known."""
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 2

    fine = choose(Known(flat(rng, 1e-3), labels), flat(rng, 1e-3), {"off": flat(rng, 0.02)})
    coarse = choose(Known(flat(rng, 1), labels), flat(rng, 1), {"off": flat(rng, 20)})

    assert vim(Known(flat(rng, 1e-3), labels)) is not None
    assert not fine.score.fitted
    assert "vim" not in fine.areas
    assert coarse.score.fitted


@pytest.mark.parametrize(("moved", "taken"), [(0.0, True), (3.0, False)])
def test_looks_that_rounding_moves_are_left_out(moved: float, taken: bool) -> None:
    rng = np.random.default_rng(0)

    def answers(light: float) -> Answers:
        seen = rng.normal(size=(200, 8)).astype(np.float32)
        look = rng.normal(size=(200, 13)).astype(np.float32)
        look[:, 10:] += light
        return Answers(seen, seen[:, :3], look, look + np.float32(moved))

    fitted, asked = ({kind: answers(6) for kind in "abc"} for _ in range(2))
    known = Known(answers(0), np.arange(200) % 3, fitted, shape=(32, 32, 3))

    found = choose(known, answers(0), asked)

    assert ("looks" in found.areas) is taken
    assert (found.score.name == "looks") is taken


def test_rounding_is_that_of_bf16() -> None:
    values = np.random.default_rng(0).normal(0, 100, 1000).astype(np.float32)

    assert np.array_equal(in_bf16(values), torch.from_numpy(values).bfloat16().float().numpy())


def test_bytes_follow_the_graph() -> None:
    assert most_bytes(10) == LEAST_BYTES == 65536
    assert most_bytes(10_000_000) == 1_000_000

"""Scores for unknown pictures: each finds what is planted, equals its formula, its oracle, and its bound."""

from dataclasses import replace

import numpy as np
import pytest

from foveal.calibrate import unknowns
from foveal.calibrate.unknowns._score import Answers, Known
from foveal.core import catalog
from foveal.metrics.auroc import auroc

NAMES = catalog.names(unknowns)
OF_FEATURES = [name for name in NAMES if name not in ("energy", "gen", "msp")]
CLASSES, WIDTH, EACH, LOOK, SHAPE = 4, 12, 80, 13, (32, 32, 3)


def world(seed: int = 0) -> tuple[Known, Answers, Answers]:
    """Return known pictures of four clusters, more of them, and unknown ones where no cluster is."""
    rng = np.random.default_rng(seed)
    centers = np.zeros((CLASSES, WIDTH))
    centers[range(CLASSES), range(CLASSES)] = 6
    weights = rng.normal(0, 0.05, (WIDTH, CLASSES))
    weights[range(CLASSES), range(CLASSES)] += 2.0
    bias = rng.normal(0, 0.3, CLASSES)

    def answers(features: np.ndarray) -> Answers:
        look = rng.normal(size=(len(features), LOOK)).astype(np.float32)
        return Answers(features.astype(np.float32), (features @ weights + bias).astype(np.float32), look)

    def clusters() -> np.ndarray:
        return np.repeat(centers, EACH, axis=0) + rng.normal(size=(CLASSES * EACH, WIDTH)) * 0.6

    labels = np.repeat(np.arange(CLASSES), EACH)
    away = rng.normal(size=(200, WIDTH)) * 0.6
    away[:, CLASSES:] += rng.choice([-3.0, 3.0], size=(200, WIDTH - CLASSES))
    half = (centers[rng.integers(0, 4, 200)] + centers[rng.integers(0, 4, 200)]) / 4
    strange = {"away": answers(away[:100]), "half": answers(half[:100])}
    known = Known(answers(clusters()), labels, strange, shape=SHAPE)
    return known, answers(clusters()), answers(away[100:])


def some(answers: Answers, rows: slice) -> Answers:
    return Answers(answers.features[rows], answers.logits[rows], answers.look[rows])


@pytest.mark.parametrize("name", NAMES)
def test_what_is_planted_outside_all_classes_scores_higher(name: str) -> None:
    known, more, unknown = world()

    score = catalog.find(unknowns, name)(known)

    assert auroc(*(score.of(each) for each in (unknown, more))).value > 0.95


@pytest.mark.parametrize("name", NAMES)
def test_a_score_belongs_to_a_picture_and_not_to_its_batch(name: str) -> None:
    known, more, _ = world()
    score = catalog.find(unknowns, name)(known)

    together = score.of(more)
    alone = [score.of(some(more, slice(i, i + 1)))[0] for i in range(20)]

    assert together.dtype == np.float32
    np.testing.assert_allclose(together[:20], alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", OF_FEATURES)
def test_parameters_stay_within_their_bytes_or_there_is_no_score(name: str) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(600) % 10
    features = (rng.normal(size=(600, 96)) + 4 * np.eye(96)[labels]).astype(np.float32)
    look = rng.normal(size=(600, LOOK)).astype(np.float32)
    answers = Answers(features, features[:, :10] * 3, look)
    for most in (40, 400, 4_000, 40_000):
        score = catalog.find(unknowns, name)(Known(answers, labels, {"noise": answers}, most, SHAPE))
        assert score is None or score.size_bytes <= most
    assert score is not None


@pytest.mark.parametrize("name", OF_FEATURES)
def test_without_features_or_pictures_only_the_logits_can_tell(name: str) -> None:
    known, *_ = world()
    nothing = np.empty(0, np.int64)

    unread = replace(known, answers=replace(known.answers, features=None))
    assert catalog.find(unknowns, name)(unread) is None
    none = some(known.answers, slice(0))
    assert catalog.find(unknowns, name)(Known(none, nothing)) is None


@pytest.mark.parametrize("name", NAMES)
def test_large_and_equal_logits_give_finite_scores(name: str) -> None:
    known, more, _ = world()
    score = catalog.find(unknowns, name)(known)

    for logits in (np.full((1, CLASSES), 3e4), np.eye(CLASSES)[:1] * 1e4, np.zeros((1, CLASSES))):
        assert np.isfinite(score.of(replace(some(more, slice(1)), logits=logits.astype(np.float32)))).all()


def test_formulas_of_the_logits() -> None:
    logits = np.random.default_rng(0).normal(0, 3, (50, 6)).astype(np.float32)
    known = Known(Answers(None, logits), np.zeros(50, np.int64))
    p = np.exp(logits.astype(np.float64))
    p /= p.sum(axis=1, keepdims=True)

    found = {
        name: catalog.find(unknowns, name)(known).of(Answers(None, logits))
        for name in ("msp", "energy", "gen")
    }

    np.testing.assert_allclose(found["msp"], 1 - p.max(axis=1), atol=1e-6)
    np.testing.assert_allclose(found["energy"], -np.log(np.exp(logits.astype(float)).sum(axis=1)), rtol=1e-5)
    np.testing.assert_allclose(found["gen"], ((p * (1 - p)) ** 0.1).sum(axis=1), rtol=1e-4)


def test_gen_loses_no_small_number() -> None:
    """1 - p of a sure answer is 0 in float32, and 0.1 as an exponent makes the true value felt: 0.14."""
    sure = np.array([[20.0, 0.0, 0.0], [30.0, 3.0, 0.0]], np.float32)
    score = catalog.find(unknowns, "gen")(Known(Answers(None, sure), np.zeros(2, np.int64)))
    small = np.exp(sure[:, 1:].astype(np.float64) - sure[:, :1].astype(np.float64))

    expected = small.sum(axis=1) ** 0.1 + (small**0.1).sum(axis=1)

    np.testing.assert_allclose(score.of(Answers(None, sure)), expected, rtol=1e-4)


def test_gen_counts_the_hundred_largest_of_many() -> None:
    logits = np.random.default_rng(1).normal(0, 1, (5, 300)).astype(np.float32)
    score = catalog.find(unknowns, "gen")(Known(Answers(None, logits), np.zeros(5, np.int64)))
    p = np.exp(logits.astype(np.float64))
    p = -np.sort(-p / p.sum(axis=1, keepdims=True), axis=1)[:, :100]

    np.testing.assert_allclose(score.of(Answers(None, logits)), ((p * (1 - p)) ** 0.1).sum(axis=1), rtol=1e-4)


def test_mahalanobis_in_few_directions_is_the_whole_relative_distance() -> None:
    """The two D×D forms of Ren et al. cancel in all but K - 1 directions."""
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 5, 500)
    mixed = rng.normal(size=(20, 20))
    features = (rng.normal(size=(500, 20)) @ mixed + rng.normal(size=(5, 20))[labels] * 4).astype(np.float32)
    new = (rng.normal(size=(60, 20)) * 9).astype(np.float32)
    score = catalog.find(unknowns, "mahalanobis")(Known(Answers(features, features[:, :5]), labels))

    means = np.stack([features[labels == k].mean(axis=0) for k in range(5)]).astype(np.float64)
    inside = features - means[labels]
    within = inside.T @ inside / 500
    within += 1e-4 * np.trace(within) / 20 * np.eye(20)
    mean = features.mean(axis=0).astype(np.float64)
    shares = np.bincount(labels) / 500
    whole = within + (means - mean).T @ np.diag(shares) @ (means - mean)

    def distance(center: np.ndarray, spread: np.ndarray) -> np.ndarray:
        return np.einsum("ni,ij,nj->n", new - center, np.linalg.inv(spread), new - center)

    expected = np.min([distance(m, within) for m in means], axis=0) - distance(mean, whole)
    assert score.parameters["directions"].shape == (20, 4)
    np.testing.assert_allclose(score.of(Answers(new, new[:, :5])), expected, rtol=1e-3, atol=1e-3)


def test_features_that_never_move_change_nothing() -> None:
    def padded(answers: Answers) -> Answers:
        still = np.zeros((len(answers.logits), 3), np.float32)
        return replace(answers, features=np.hstack([answers.features, still]))

    known, more, unknown = world()
    strange = {kind: padded(answers) for kind, answers in known.strange.items()}
    wider = replace(known, answers=padded(known.answers), strange=strange)
    for name in OF_FEATURES:
        score = catalog.find(unknowns, name)(wider)
        assert auroc(score.of(padded(unknown)), score.of(padded(more))).value > 0.9, name


def test_scores_rank_as_an_independent_package_does() -> None:
    torch = pytest.importorskip("torch")
    detectors = pytest.importorskip("pytorch_ood.detector")
    known, more, unknown = world(2)
    features = np.concatenate([more.features, unknown.features])
    logits = np.concatenate([more.logits, unknown.logits])
    t = torch.from_numpy
    solved, *_ = np.linalg.lstsq(
        np.hstack([known.answers.features, np.ones((len(known.labels), 1))]), known.answers.logits, rcond=None
    )
    weights, bias = (torch.tensor(part, dtype=torch.float32) for part in (solved[:-1].T, solved[-1]))
    vim = detectors.ViM(None, d=WIDTH // 2, w=weights, b=bias)
    vim.fit_features(t(known.answers.features), t(known.labels))
    theirs = {
        "msp": detectors.MaxSoftmax.score(t(logits)),
        "energy": detectors.EnergyBased.score(t(logits)),
        "gen": detectors.GEN.score(t(logits)),
        "vim": vim.predict_features(t(features)),
    }

    for name, values in theirs.items():
        score = catalog.find(unknowns, name)(known)
        ours = score.of(Answers(features, logits))
        assert _agreement(ours, np.asarray(values)) > 0.999, name


def test_the_nearest_middle_ranks_nearly_as_the_nearest_of_all_features() -> None:
    torch = pytest.importorskip("torch")
    detectors = pytest.importorskip("pytorch_ood.detector")
    known, more, unknown = world(3)
    nearest = detectors.KNN(None, k=5)
    unit = [f / np.linalg.norm(f, axis=1, keepdims=True) for f in
            (known.answers.features, np.concatenate([more.features, unknown.features]))]  # fmt: skip
    nearest.fit_features(torch.from_numpy(unit[0]), torch.from_numpy(known.labels))
    theirs = np.asarray(nearest.predict_features(torch.from_numpy(unit[1])))

    score = catalog.find(unknowns, "knn")(known)

    ours = score.of(Answers(unit[1], np.concatenate([more.logits, unknown.logits])))
    count = len(more.features)
    areas = [auroc(scores[count:], scores[:count]).value for scores in (ours, theirs)]
    assert abs(areas[0] - areas[1]) < 0.02
    assert _agreement(ours, theirs) > 0.9


def _agreement(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Return Spearman's rank correlation."""
    ranks = [np.argsort(np.argsort(values)) for values in (ours, theirs)]
    return float(np.corrcoef(*ranks)[0, 1])

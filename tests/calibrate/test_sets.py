"""calibrate.sets: coverage follows its exact law; the quantile without its correction does not."""

import warnings

import numpy as np
import pytest
from scipy import stats

from foveal.calibrate.pac_rank import pac_rank
from foveal.calibrate.sets.aps import aps
from foveal.calibrate.sets.lac import lac
from foveal.calibrate.sets.mondrian import mondrian
from foveal.calibrate.sets.raps import Penalty, penalty_for, raps
from foveal.core.errors import UsageError
from foveal.tasks.classify.decode import Conformal, prediction_sets, set_scores

REPETITIONS = 2000
MANY = 600  # repetitions with pictures to come, drawn and counted
NEW = 200
CLASSES = 5
ALPHAS = [0.1, 0.05, 0.01]
IMAGES = 120  # enough for alpha 0.01


def uniform(n, rng):
    """Return two-class answers with uniform scores (1 - probability of the truth): quantile = coverage."""
    share = rng.random(n)
    return np.stack([share, 1 - share], axis=1), np.zeros(n, dtype=np.int64)


def without_correction(probabilities, labels, *, alpha):
    return float(np.quantile(1 - probabilities[np.arange(len(labels)), labels], 1 - alpha))


def coverages(fit, n, alpha):
    rng = np.random.default_rng(0)
    return np.array([fit(*uniform(n, rng), alpha=alpha) for _ in range(REPETITIONS)])


@pytest.mark.parametrize(("n", "alpha"), [(20, 0.1), (50, 0.1), (99, 0.05), (100, 0.01)])
def test_coverage_follows_its_beta_law_and_without_the_correction_it_does_not(n, alpha):
    k = int(np.ceil((n + 1) * (1 - alpha) - 1e-9))
    law = stats.beta(k, n + 1 - k)
    band = 4 * law.std() / REPETITIONS**0.5

    exact = coverages(lambda p, y, alpha: lac(p, y, alpha=alpha).quantile, n, alpha)
    naive = coverages(without_correction, n, alpha)

    assert abs(exact.mean() - law.mean()) < band
    assert stats.kstest(exact, law.cdf).pvalue > 0.001
    assert naive.mean() < law.mean() - band, "the control: this test notices the usual mistake"
    assert stats.kstest(naive, law.cdf).pvalue < 0.001


def too_sure(n, rng, classes=CLASSES):
    """Return answers of a network that is too sure and often wrong, and what is true."""
    scores = rng.normal(size=(n, classes))
    labels = (scores + rng.normal(size=(n, classes))).argmax(axis=1)
    powers = np.exp(3 * scores)
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32), labels


def with_numbers(rule, **options):
    """Return a randomized rule as (fit, sets) that draw the numbers from one generator."""

    def fit(probabilities, labels, alpha, rng):
        found = rule(probabilities, labels, alpha=alpha, uniform=rng.random(len(labels)), **options)
        return lambda new: prediction_sets(new, found, uniform=rng.random(len(new)))

    return fit


def uncorrected(probabilities, labels, alpha, rng):
    """Return randomized APS sets with the plain quantile: what several tools do."""
    rule = aps(probabilities, labels, alpha=alpha, uniform=np.zeros(len(labels)))
    numbers = rng.random(len(labels))
    scores = set_scores(probabilities, rule, uniform=numbers)[np.arange(len(labels)), labels]
    cut = np.quantile(scores, 1 - alpha)
    return lambda new: set_scores(new, rule, uniform=rng.random(len(new))) <= cut


def plain_lac(probabilities, labels, alpha, rng):
    """Return LAC sets as they are by definition: the served ones hold the best class too."""
    found = lac(probabilities, labels, alpha=alpha)
    return lambda new: set_scores(new, found) <= found.quantile


EXACT = {
    "lac": plain_lac,
    "aps": with_numbers(aps),
    "raps": with_numbers(raps, penalty=Penalty(0.05, 2)),
}


def covered(fit, alpha, n=IMAGES, seed=0):
    """Return how many of NEW pictures each of MANY calibrations covers."""
    rng, found = np.random.default_rng(seed), []
    for _ in range(MANY):
        sets = fit(*too_sure(n, rng), alpha, rng)
        probabilities, labels = too_sure(NEW, rng)
        found.append(int(sets(probabilities)[np.arange(NEW), labels].sum()))
    return np.array(found)


def in_band(found, alpha, n=IMAGES):
    """Return whether the mean number of covered pictures is that of the exact law, up to chance."""
    k = int(np.ceil((n + 1) * (1 - alpha) - 1e-9))
    law = stats.betabinom(NEW, k, n + 1 - k)
    return abs(found.mean() - law.mean()) <= 3.3 * law.std() / len(found) ** 0.5


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("name", EXACT)
def test_every_exact_rule_covers_as_often_as_its_law_says(name, alpha):
    assert in_band(covered(EXACT[name], alpha), alpha)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_the_usual_quantile_does_not(alpha):
    found = covered(uncorrected, alpha)

    assert not in_band(found, alpha)
    assert found.mean() < NEW * (1 - alpha)


@pytest.mark.parametrize("rule", [lac, aps, raps, mondrian])
@pytest.mark.parametrize("alpha", ALPHAS)
def test_served_sets_hold_the_truth_as_often_as_promised_and_are_never_empty(rule, alpha):
    rng, held = np.random.default_rng(1), []
    for _ in range(MANY):
        found = rule(*too_sure(IMAGES, rng), alpha=alpha)
        probabilities, labels = too_sure(NEW, rng)
        sets = prediction_sets(probabilities, found)
        assert sets[np.arange(NEW), probabilities.argmax(axis=1)].all()
        held.append(sets[np.arange(NEW), labels].mean())

    assert np.mean(held) > 1 - alpha - 3.3 * np.std(held) / MANY**0.5


def unequal(n, rng):
    """Return three classes: the last is rare, and the network is bad at it."""
    labels = rng.choice(3, size=n, p=[0.5, 0.35, 0.15])
    scores = rng.normal(size=(n, 3))
    scores[np.arange(n), labels] += np.array([3.0, 2.0, 0.3])[labels]
    powers = np.exp(scores)
    return powers / powers.sum(axis=1, keepdims=True), labels


def by_class(rule, alpha):
    """Return the mean coverage of each class over many calibrations, by the scores alone."""
    rng, hits, counts = np.random.default_rng(0), np.zeros(3), np.zeros(3)
    for _ in range(MANY):
        found = rule(*unequal(400, rng), alpha=alpha)
        probabilities, labels = unequal(300, rng)
        limits = np.array([np.inf if q is None else q for q in found.quantiles or [found.quantile] * 3])
        inside = (set_scores(probabilities, found) <= limits)[np.arange(300), labels]
        hits += np.bincount(labels[inside], minlength=3)
        counts += np.bincount(labels, minlength=3)
    return hits / counts


@pytest.mark.parametrize("alpha", [0.1, 0.05])
def test_mondrian_keeps_the_promise_for_each_class_and_lac_does_not(alpha):
    each, average = by_class(mondrian, alpha), by_class(lac, alpha)

    # Of a class with n images the mean coverage is k / (n + 1), at most 1 / (n + 1) above 1 - alpha.
    assert (each > 1 - alpha - 0.004).all()
    assert (each < 1 - alpha + 1 / 40 + 0.004).all()
    assert average[2] < 1 - alpha - 0.05, "the control: the average hides the difficult class"


def test_mondrian_is_lac_of_each_class_alone():
    probabilities, labels = unequal(300, np.random.default_rng(0))

    found = mondrian(probabilities, labels, alpha=0.1)

    for k in range(3):
        mine = labels == k
        assert found.quantiles[k] == lac(probabilities[mine], labels[mine], alpha=0.1).quantile
        assert found.counts[k] == mine.sum()
    assert (found.quantile, found.n) == (max(found.quantiles), 300)


def test_a_class_with_too_few_images_is_in_every_set():
    rng = np.random.default_rng(0)
    labels = np.array([0] * 50 + [1] * 50 + [2] * 8)

    found = mondrian(rng.dirichlet(np.ones(3), size=108), labels, alpha=0.1)

    assert found.quantiles[2] is None
    assert prediction_sets(np.array([[0.999, 0.001, 0.0]], np.float32), found)[0, 2]


@pytest.mark.parametrize("rule", [lac, aps, raps])
def test_with_delta_too_little_is_covered_in_at_most_delta_of_the_draws(rule):
    rng, n, alpha, delta, found = np.random.default_rng(0), 200, 0.1, 0.1, []
    new, truth = too_sure(8000, np.random.default_rng(1))
    for _ in range(MANY):
        fitted = rule(*too_sure(n, rng), alpha=alpha, delta=delta)
        sets = set_scores(new, fitted)[np.arange(len(new)), truth] <= fitted.quantile
        found.append(sets.mean())
    averaged = np.mean([c < 1 - alpha for c in coverages(lambda p, y, alpha: lac(p, y).quantile, n, alpha)])

    assert np.mean(np.array(found) < 1 - alpha) <= delta + 3.3 * (delta * (1 - delta) / MANY) ** 0.5
    assert averaged > 3 * delta, "the control: an average over draws promises nothing of this kind"


@pytest.mark.parametrize(("alpha", "rank"), [(0.1, 916), (0.05, 962), (0.01, 996)])
def test_ranks_of_a_thousand_images_and_by_the_beta_law(alpha, rank):
    assert pac_rank(1000, alpha, 0.05) == rank
    for n in (29, 60, 500):
        ranks = [k for k in range(1, n + 1) if stats.beta(k, n + 1 - k).cdf(1 - alpha) <= 0.05]
        assert pac_rank(n, alpha, 0.05) == min(ranks, default=n + 1)


@pytest.mark.parametrize("arguments", [(-1, 0.1, 0.1), (5, 0, 0.1), (5, 0.1, 1), (5, float("nan"), 0.1)])
def test_ranks_of_nonsense_are_refused(arguments):
    with pytest.raises(UsageError, match="need n ≥ 0"):
        pac_rank(*arguments)


def test_too_few_images_for_delta_give_all_classes():
    probabilities, labels = too_sure(28, np.random.default_rng(0))

    assert lac(probabilities, labels, alpha=0.1, delta=0.05).quantile is None
    assert lac(*too_sure(29, np.random.default_rng(0)), alpha=0.1, delta=0.05).quantile is not None


def by_the_paper(probabilities, label, number, penalty=0.0, free=0):
    """Return the score of one class, written down as in RAPS, equation 4."""
    own = probabilities[label]
    rank = 1 + int((probabilities > own).sum())
    return probabilities[probabilities > own].sum() + number * own + penalty * max(0, rank - free)


def test_scores_are_those_of_the_papers():
    rng = np.random.default_rng(0)
    probabilities, numbers = rng.dirichlet(np.ones(6), size=40), rng.random(40)
    none = Conformal(alpha=0.1, quantile=None, n=0)
    for method, options in [("aps", {}), ("raps", {"penalty": 0.07, "free": 2})]:
        rule = none.model_copy(update={"method": method, **options})
        for drawn in (numbers, None):
            found = set_scores(probabilities, rule, uniform=drawn)
            for i in range(40):
                number = 0.0 if drawn is None else drawn[i]
                expected = [by_the_paper(probabilities[i], k, number, **options) for k in range(6)]
                assert found[i] == pytest.approx(expected)


def test_raps_without_a_penalty_is_aps():
    probabilities, labels = too_sure(200, np.random.default_rng(0))

    free = raps(probabilities, labels, penalty=Penalty(0.0, 0))

    assert free.quantile == aps(probabilities, labels).quantile


def test_the_penalty_is_chosen_for_small_sets_on_other_images():
    rng = np.random.default_rng(0)
    probabilities, labels = too_sure(1500, rng, classes=40)
    chosen = penalty_for(probabilities[:500], labels[:500])

    sizes = {}
    for name, rule in [
        ("raps", raps(probabilities[500:1000], labels[500:1000], penalty=chosen)),
        ("aps", aps(probabilities[500:1000], labels[500:1000])),
    ]:
        sizes[name] = prediction_sets(probabilities[1000:], rule).sum(axis=1)

    assert chosen.free >= 1
    assert sizes["raps"].mean() < sizes["aps"].mean()
    assert sizes["raps"].max() < sizes["aps"].max()
    assert penalty_for(np.empty((0, 3)), np.empty(0, int)) == Penalty()


def test_aps_sets_are_larger_where_the_network_is_less_sure():
    rng = np.random.default_rng(0)
    probabilities, labels = too_sure(3000, rng)
    sets = prediction_sets(probabilities, aps(probabilities[:1000], labels[:1000], alpha=0.05))

    order = np.argsort(probabilities.max(axis=1))

    assert sets[order[:500]].sum() > 1.5 * sets[order[-500:]].sum()


def test_quantiles_are_those_of_mapie():
    mapie = pytest.importorskip("mapie.classification")
    scores = pytest.importorskip("mapie.conformity_scores")
    probabilities, labels = too_sure(300, np.random.default_rng(0))
    new, _ = too_sure(200, np.random.default_rng(1))

    class Known:
        """A fitted classifier that answers what it is asked with."""

        classes_ = np.arange(CLASSES)
        __sklearn_is_fitted__ = staticmethod(lambda: True)

        def fit(self, x, y):
            return self

        def predict_proba(self, x):
            return np.asarray(x, dtype=np.float64)

        def predict(self, x):
            return np.asarray(x).argmax(axis=1)

    for alpha in ALPHAS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = mapie.SplitConformalClassifier(
                Known(), confidence_level=1 - alpha, prefit=True, conformity_score=scores.LACConformityScore()
            )
            theirs.conformalize(probabilities, labels)
            sets = theirs.predict_set(new)[1][:, :, 0]
        rule = lac(probabilities, labels, alpha=alpha)
        assert (sets == (set_scores(new, rule) <= rule.quantile)).all()


@pytest.mark.parametrize("per_class", [False, True])
def test_sets_are_those_of_crepes(per_class):
    crepes = pytest.importorskip("crepes")
    probabilities, labels = too_sure(300, np.random.default_rng(0))
    new, _ = too_sure(200, np.random.default_rng(1))
    scores = 1 - probabilities.astype(np.float64)

    theirs = crepes.ConformalClassifier()
    bins = {"bins": labels} if per_class else {}
    theirs.fit(scores[np.arange(300), labels], **bins)
    asked = 1 - new.astype(np.float64)
    columns = [{"bins": np.full(200, k)} if per_class else {} for k in range(CLASSES)]
    values = [theirs.predict_p(asked[:, [k]], smoothing=False, **columns[k]) for k in range(CLASSES)]

    rule = (mondrian if per_class else lac)(probabilities, labels, alpha=0.1)
    limits = np.array(rule.quantiles or (rule.quantile,))
    assert ((np.hstack(values) > 0.1) == (set_scores(new, rule) <= limits)).mean() > 0.999


@pytest.mark.parametrize(("n", "alpha", "rank"), [(9, 0.1, 9), (10, 0.1, 10), (19, 0.1, 18), (99, 0.01, 99)])
def test_the_quantile_is_the_score_of_the_exact_rank(n, alpha, rank):
    scores = np.arange(1, n + 1) / 128  # exact in binary
    probabilities = np.stack([1 - scores, scores], axis=1)

    rule = lac(probabilities, np.zeros(n, dtype=int), alpha=alpha)

    assert rule.quantile == scores[rank - 1]
    assert (rule.alpha, rule.n, rule.method) == (alpha, n, "lac")


@pytest.mark.parametrize("rule", [lac, aps, raps, mondrian])
@pytest.mark.parametrize(("n", "alpha"), [(8, 0.1), (98, 0.01), (1, 0.3), (0, 0.1)])
def test_too_few_images_give_all_classes(rule, n, alpha):
    found = rule(np.full((n, 3), 1 / 3), np.zeros(n, dtype=int), alpha=alpha)

    assert found.quantile is None
    assert prediction_sets(np.eye(3, dtype=np.float32), found).all()


def test_the_image_of_the_quantile_itself_is_inside():
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(4), size=50).astype(np.float32)
    labels = rng.integers(4, size=50)

    rule = lac(probabilities, labels, alpha=0.1)

    inside = (1.0 - probabilities.astype(np.float64) <= rule.quantile)[np.arange(50), labels]
    assert inside.sum() == 46, "ceil(51 · 0.9)"
    at_the_edge = Conformal(alpha=0.1, quantile=0.75, n=50)
    assert prediction_sets(np.array([[0.25, 0.75]], dtype=np.float32), at_the_edge).all()


@pytest.mark.parametrize("rule", [lac, aps, raps, mondrian])
@pytest.mark.parametrize("share", [0, 1, -0.1, float("nan")])
def test_a_share_outside_0_to_1_is_refused(rule, share):
    with pytest.raises(UsageError, match="alpha is a share"):
        rule(np.full((5, 2), 0.5), np.zeros(5, dtype=int), alpha=share)
    with pytest.raises(UsageError, match="delta is a probability"):
        rule(np.full((5, 2), 0.5), np.zeros(5, dtype=int), delta=share)


@pytest.mark.parametrize("rule", [lac, aps, raps, mondrian])
def test_logits_are_refused(rule):
    with pytest.raises(UsageError, match="between 0 and 1"):
        rule(np.array([[3.0, -2.0]]), np.array([0]))

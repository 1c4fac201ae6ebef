"""steps.mixed_precision: a network that plain int8 ruins is caught, and cured by a few float layers."""

import onnxruntime
import pytest

from foveal.bundle.graph import check_graph
from foveal.optimize.divergence import divergence
from foveal.optimize.graphs.integers import Scheme, units, with_integers
from foveal.optimize.steps.mixed_precision import _fewest, mixed_precision
from foveal.optimize.steps.quantize import calibrate, divided, quantize

MOST_KL = 0.005


def accuracy(model, test_set):
    images, labels = test_set
    probabilities = onnxruntime.InferenceSession(model).run(["probabilities"], {"images": images})[0]
    return (probabilities.argmax(1) == labels).mean()


@pytest.fixture(scope="module")
def cured(outlier_graph, pictures):
    return mixed_precision(outlier_graph, pictures, most_kl=MOST_KL, scheme=Scheme(), method="minmax")


def test_the_trap_is_one_for_integers_alone(separable_graph, outlier_graph, pictures, test_set):
    same = divergence(separable_graph, outlier_graph, test_set[0])
    assert (same.flips.value, same.mean_kl) == pytest.approx((0, 0), abs=1e-6)
    assert accuracy(outlier_graph, test_set) > 0.9
    tame = divergence(separable_graph, quantize(separable_graph, pictures, scheme=Scheme()), test_set[0])

    caught = divergence(outlier_graph, quantize(outlier_graph, pictures, scheme=Scheme()), test_set[0])

    assert tame.flips.high < 0.05
    assert caught.flips.low > 0.2, "not an accident of the sample"
    assert caught.mean_kl > 100 * max(tame.mean_kl, 1e-4)


def test_a_few_float_layers_cure_it(outlier_graph, cured, test_set):
    after = divergence(outlier_graph, cured.model, test_set[0])

    check_graph(cured.model)
    assert after.flips.high < 0.05
    assert accuracy(cured.model, test_set) > accuracy(outlier_graph, test_set) - 0.03
    assert cured.mean_kl <= MOST_KL
    assert 1 <= len(cured.floats) < len(units(outlier_graph)) - 1


def test_the_layers_around_the_outlier_are_the_most_sensitive(cured):
    ranked = list(cured.sensitivities)

    assert list(cured.sensitivities.values()) == sorted(cured.sensitivities.values(), reverse=True)
    assert set(cured.floats) <= set(ranked[: len(cured.floats) + 1])
    assert cured.sensitivities[ranked[0]] > 20 * cured.sensitivities[ranked[-1]]


def test_no_float_layer_can_be_spared(outlier_graph, cured, pictures):
    ready = calibrate(outlier_graph, pictures, scheme=Scheme(), method="minmax")
    judging = divided(pictures)[1]
    for name in cured.floats:
        fewer = [other for other in cured.floats if other != name]
        rounded = with_integers(ready.model, ready.ranges, Scheme(), floats=fewer)
        assert divergence(outlier_graph, rounded, judging).mean_kl > MOST_KL


def test_what_int8_does_not_harm_is_all_int8(separable_graph, pictures):
    mixed = mixed_precision(separable_graph, pictures, most_kl=0.05, scheme=Scheme(), method="minmax")

    assert (mixed.floats, mixed.sensitivities) == ((), {})
    assert mixed.model == quantize(separable_graph, pictures, scheme=Scheme(), method="minmax")


def test_a_limit_of_nothing_leaves_all_in_float(separable_graph, pictures, test_set):
    mixed = mixed_precision(separable_graph, pictures, most_kl=1e-9, scheme=Scheme(), method="minmax")

    assert divergence(separable_graph, mixed.model, test_set[0]).mean_kl < 1e-6


@pytest.mark.parametrize("needed", [{"a"}, {"b", "d"}, {"a", "f"}, set("abcdef")])
def test_only_what_is_needed_stays_whatever_its_rank(needed):
    told = []

    kept = _fewest(
        tuple("abcdef"),
        lambda floats: 0.0 if needed <= set(floats) else 1.0,
        0.5,
        lambda _stage, done, total: told.append((done, total)),
    )

    assert set(kept) == needed
    assert len(told) > 1
    assert told[0][0] == 0
    assert told[-1][0] == told[-1][1], "all are done at the end"


@pytest.mark.parametrize("name", ["nano_graph", "separable_graph", "outlier_graph", "wide_graph"])
def test_it_is_never_further_from_the_answers_than_int8(request, name, pictures, test_set):
    """What int8 leaves in float to begin with stays there."""
    model = request.getfixturevalue(name)

    mixed, rounded = (
        mixed_precision(model, pictures, scheme=Scheme()),
        quantize(model, pictures, scheme=Scheme()),
    )

    assert set(calibrate(model, pictures, scheme=Scheme()).floats) <= set(mixed.floats) or mixed.sensitivities
    apart = [divergence(model, one, test_set[0]).mean_kl for one in (mixed.model, rounded)]
    assert apart[0] <= 1.1 * apart[1]

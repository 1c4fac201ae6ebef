"""calibrate.temperature: another optimizer's optimum, known truths, no explosion, the graph's softmax."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from scipy import optimize, special

from foveal.calibrate.temperature import HIGHEST, LOWEST, calibrated, temperature
from foveal.core.errors import UsageError


def drawn(n, classes=5, *, seed=0, spread=2.0):
    """Return logits that are the logarithm of the truth, and labels drawn from it."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, classes)) * spread
    chance = special.softmax(logits, axis=1).cumsum(axis=1)
    labels = np.minimum((rng.random((n, 1)) > chance).sum(axis=1), classes - 1)
    return logits.astype(np.float32), labels


def loss(log_t, logits, labels):
    """Mean negative log-likelihood of N images and of one more that is always the runner-up."""
    logs = special.log_softmax(logits.astype(float) / np.exp(log_t), axis=1)
    n = len(labels)
    return -(logs[np.arange(n), labels].sum() + np.sort(logs, axis=1)[:, -2].mean()) / (n + 1)


@given(seed=st.integers(0, 1000), n=st.integers(1, 200), distortion=st.floats(0.3, 5))
def test_equals_scipys_optimum(seed, n, distortion):
    logits, labels = drawn(n, seed=seed)
    logits *= np.float32(distortion)

    found = temperature(logits, labels)
    bounds = (np.log(LOWEST), np.log(HIGHEST))
    oracle = optimize.minimize_scalar(
        loss, bounds=bounds, args=(logits, labels), method="bounded", options={"xatol": 1e-10}
    )

    assert np.log(found) == pytest.approx(oracle.x, abs=1e-4)


@pytest.mark.parametrize("truth", [0.2, 1.0, 3.5])
def test_recovers_the_factor_by_which_logits_were_distorted(truth):
    logits, labels = drawn(20_000)

    assert temperature(logits * np.float32(truth), labels) == pytest.approx(truth, rel=0.05)


def test_the_imagined_image_is_not_felt_where_there_is_data():
    logits, labels = drawn(5000)
    logits *= 2
    plain = optimize.minimize_scalar(
        lambda t: -special.log_softmax(logits / t, axis=1)[np.arange(5000), labels].mean(), bounds=(0.1, 10)
    )

    assert temperature(logits, labels) == pytest.approx(plain.x, rel=0.005)


@pytest.mark.parametrize("n", [1, 10, 300, 5000])
def test_data_without_an_error_do_not_ask_for_certainty(n):
    labels = np.arange(n) % 4
    logits = 9 * np.eye(4, dtype=np.float32)[labels]

    unsure = 1 - calibrated(logits, temperature(logits, labels)).max(axis=1)

    assert unsure.mean() == pytest.approx(1 / (n + 1), rel=0.02), "one of n + 1 images is wrong"


def test_classes_that_nobody_would_take_it_for_do_not_make_it_unsure():
    rng = np.random.default_rng(0)
    labels = np.arange(14)
    logits = (5 * np.eye(20)[labels] + rng.normal(size=(14, 20))).astype(np.float32)

    unsure = 1 - calibrated(logits, temperature(logits, labels)).max(axis=1).mean()

    assert 1 / 15 <= unsure <= 2 / 15, "no error among 14 images of 20 classes"


def test_answers_that_are_all_wrong_end_at_the_bound():
    labels = np.zeros(50, dtype=int)
    logits = np.eye(3, dtype=np.float32)[labels + 1] * 5

    assert temperature(logits, labels) == HIGHEST


def test_tiny_margins_without_an_error_end_at_the_bound():
    labels = np.arange(1000) % 2
    logits = np.eye(2, dtype=np.float32)[labels] * 0.01

    assert temperature(logits, labels) == pytest.approx(LOWEST)


def test_logits_that_say_nothing_are_left_alone():
    assert temperature(np.full((3, 2), 7.0, dtype=np.float32), np.array([0, 1, 0])) == 1.0


def test_huge_logits_do_not_overflow():
    logits, labels = drawn(100)

    found = temperature(logits * np.float32(1e30), labels)

    assert found == HIGHEST


def test_the_result_is_exact_in_float32():
    found = temperature(*drawn(50))

    assert float(np.float32(found)) == found


@pytest.mark.parametrize(
    ("logits", "labels", "text"),
    [
        (np.zeros((0, 3), np.float32), np.zeros(0, int), "logits need at least 1 image"),
        (np.array([[np.inf, 0.0]]), np.array([0]), "logits must be finite"),
        (np.zeros((2, 3)), np.array([0, 3]), r"labels must be in \[0, 3\)"),
    ],
)
def test_wrong_arrays_are_refused(logits, labels, text):
    with pytest.raises(UsageError, match=text):
        temperature(logits, labels)


@pytest.mark.parametrize("t", [0.05, 0.7, 1.0, 20.0])
def test_calibrated_is_a_float32_softmax(t):
    logits, _ = drawn(100, 10, spread=8)

    found = calibrated(logits, t)

    assert found.dtype == np.float32
    np.testing.assert_allclose(found, special.softmax(logits.astype(float) / t, axis=1), atol=1e-6)
    assert (found.argmax(axis=1) == logits.argmax(axis=1)).all()


def test_calibrated_equals_what_the_engine_computes():
    onnxruntime = pytest.importorskip("onnxruntime")
    t = np.float32(1.37)
    nodes = [
        helper.make_node("Div", ["logits", "t"], ["scaled"]),
        helper.make_node("Softmax", ["scaled"], ["probabilities"], axis=1),
    ]
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 100])
        for name in ("logits", "probabilities")
    ]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], [numpy_helper.from_array(t, "t")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    logits, _ = drawn(2000, 100, spread=6)

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    engine = session.run(None, {"logits": logits})[0]

    assert np.abs(engine - calibrated(logits, float(t))).max() < 1e-6

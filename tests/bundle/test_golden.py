"""bundle.golden: vectors that notice an engine that computes something else."""

from dataclasses import replace

import numpy as np
import pytest

from foveal.bundle import golden
from foveal.bundle.engines.onnxruntime import onnxruntime
from foveal.bundle.session import Outputs
from foveal.core.errors import BundleError
from foveal.data.preprocess import Preprocess


@pytest.fixture
def session(classifier):
    return onnxruntime(classifier(), threads=1)


@pytest.fixture
def vectors(session, draft):
    return golden.measure(session, draft().preprocess)


def test_measured_vectors_are_verified_by_the_same_session(session, vectors) -> None:
    golden.verify(session, vectors)

    assert vectors.inputs.shape == (4, 16, 16, 3)
    assert np.array_equal(vectors.probabilities, session.run(vectors.inputs)[0])


def test_vectors_are_the_same_on_every_run(session, draft, vectors) -> None:
    again = golden.measure(session, draft().preprocess)

    assert np.array_equal(again.inputs, vectors.inputs)
    assert np.array_equal(again.probabilities, vectors.probabilities)


def test_the_least_sure_pictures_are_kept(session, vectors) -> None:
    candidates = golden.synthetic((16, 16), 3)
    confidence = session.run(candidates)[0].max(axis=1)

    assert np.allclose(vectors.probabilities.max(axis=1), np.sort(confidence)[:4], atol=1e-6)


def test_pictures_differ_and_use_the_whole_range() -> None:
    pictures = golden.synthetic((32, 32), 3)

    assert pictures.dtype == np.uint8
    assert len(np.unique(pictures.reshape(len(pictures), -1), axis=0)) == len(pictures)
    assert pictures.min() < 20
    assert pictures.max() > 235


@pytest.mark.parametrize(("size", "count"), [(8, 4), (64, 4), (128, 4), (224, 2), (512, 2)])
def test_large_pictures_are_fewer(size, count, classifier) -> None:
    session = onnxruntime(classifier(size=size), threads=1)

    vectors = golden.measure(session, Preprocess(size=size, channels=3, mean=(0, 0, 0), std=(1, 1, 1)))

    assert len(vectors.inputs) == count


def test_other_engine_within_the_tolerance_passes_and_beyond_is_refused(session, vectors) -> None:
    shift = np.zeros_like(vectors.probabilities)
    shift[0, :2] = 0.0009, -0.0009
    golden.verify(session, replace(vectors, probabilities=vectors.probabilities + shift))

    with pytest.raises(BundleError, match=r"onnxruntime .* a probability is off by 0\.0018") as caught:
        golden.verify(session, replace(vectors, probabilities=vectors.probabilities + 2 * shift))
    assert caught.value.code == "golden_mismatch"


def test_other_number_of_classes_is_refused(classifier, vectors) -> None:
    with pytest.raises(BundleError, match="5 classes instead of 3"):
        golden.verify(onnxruntime(classifier(classes=5), threads=1), vectors)


def test_other_temperature_is_noticed(classifier, vectors) -> None:
    with pytest.raises(BundleError, match="a probability is off by"):
        golden.verify(onnxruntime(classifier(temperature=1.6), threads=1), vectors)


def read_back(vectors, draft, **changes):
    parts = {
        "inputs": golden.to_bytes(vectors.inputs),
        "probabilities": golden.to_bytes(vectors.probabilities),
        "preprocess": draft().preprocess,
        "classes": 3,
        **changes,
    }
    return golden.from_bytes(
        parts["inputs"], parts["probabilities"], preprocess=parts["preprocess"], classes=parts["classes"]
    )


def test_vectors_survive_being_written(vectors, draft) -> None:
    found = read_back(vectors, draft)

    assert np.array_equal(found.inputs, vectors.inputs)
    assert np.array_equal(found.probabilities, vectors.probabilities)


@pytest.mark.parametrize("size", [8, 9, 11, 12])
@pytest.mark.parametrize("channels", [1, 3])
def test_vectors_of_the_smallest_models_survive_being_written(classifier, draft, size, channels) -> None:
    preprocess = Preprocess(size=size, channels=channels, mean=(0,) * channels, std=(1,) * channels)
    session = onnxruntime(classifier(size=size, channels=channels), threads=1)
    vectors = golden.measure(session, preprocess)

    found = read_back(vectors, draft, preprocess=preprocess)

    assert np.array_equal(found.inputs, vectors.inputs)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: {"inputs": golden.to_bytes(v.inputs[:, :8])}, r"golden_inputs\.npy holds uint8 \(4, 8"),
        (lambda v: {"inputs": golden.to_bytes(v.inputs.astype(np.int8))}, "holds int8"),
        (
            lambda v: {"inputs": golden.to_bytes(np.repeat(v.inputs, 2, axis=0))},
            r"golden_inputs\.npy holds uint8 \(8, ",
        ),
        (lambda v: {"inputs": golden.to_bytes(v.inputs[:0])}, r"golden_inputs\.npy holds uint8 \(0, "),
        (lambda v: {"inputs": golden.to_bytes(v.inputs)[:-1]}, "bytes of numbers instead"),
        (lambda v: {"inputs": golden.to_bytes(v.inputs[:3])}, r"npy holds float32 \(4, 3\)"),
        (lambda v: {"probabilities": golden.to_bytes(v.probabilities.astype(">f4"))}, "holds >f4"),
        (lambda v: {"probabilities": golden.to_bytes(v.probabilities) + b"\0"}, "bytes of numbers instead"),
        (lambda v: {"probabilities": golden.to_bytes(v.probabilities)[:-1]}, "bytes of numbers instead"),
        (lambda v: {"probabilities": golden.to_bytes(v.probabilities * np.nan)}, "holds NaN"),
        (lambda v: {"classes": 4}, r"golden_probabilities\.npy holds float32 \(4, 3\)"),
    ],
)
def test_arrays_of_another_kind_are_refused(vectors, draft, change, message) -> None:
    with pytest.raises(BundleError, match=message) as caught:
        read_back(vectors, draft, **change(vectors))

    assert caught.value.code == "tampered"


def test_header_that_lies_takes_no_memory(vectors, draft) -> None:
    content = golden.to_bytes(vectors.inputs).replace(b"(4, 16, 16, 3)", b"(4000000000, )")

    with pytest.raises(BundleError, match=r"golden_inputs\.npy holds uint8 \(4000000000,\)"):
        read_back(vectors, draft, inputs=content)


def test_objects_are_refused(vectors, draft) -> None:
    content = golden.to_bytes(vectors.inputs).replace(b"'|u1'", b"'|O' ")

    with pytest.raises(BundleError, match=r"golden_inputs\.npy"):
        read_back(vectors, draft, inputs=content)


class Disturbed:
    """An engine that computes in a precision and answers with `change` of what the right one does."""

    engine, input_shape, classes = "disturbed 1", (16, 16, 3), 3

    def __init__(
        self, session, precision, change=lambda probabilities: probabilities, see=lambda images: images
    ):
        self.session, self.precision, self.change, self.see = session, precision, change, see

    def run(self, images):
        probabilities, logits = self.session.run(np.ascontiguousarray(self.see(images)))
        return self.change(probabilities), logits


@pytest.mark.parametrize(
    ("graph", "computed"),
    [
        ("fp32", "fp32"),
        ("fp32", "bf16"),
        ("fp32", "fp16"),
        ("int8", "fp32"),
        ("int8", "bf16"),
        ("int4", "fp32"),
    ],
)
def test_each_precision_has_its_own_tolerance_and_the_coarser_one_counts(session, vectors, graph, computed):
    allowed = max(golden.TOLERANCES[graph], golden.TOLERANCES[computed])

    for share, good in ((0.9, True), (1.1, False)):
        shift = np.array([share * allowed, -share * allowed, 0], np.float32)
        engine = Disturbed(session, computed, lambda probabilities, shift=shift: probabilities + shift)
        if good:
            golden.verify(engine, vectors, graph=graph)
            continue
        with pytest.raises(
            BundleError, match=f"in {computed} does not compute .* up to {allowed:g} is allowed"
        ):
            golden.verify(engine, vectors, graph=graph)


@pytest.mark.parametrize(
    "see",
    [
        lambda images: images[..., ::-1],
        lambda images: images.transpose(0, 3, 1, 2).reshape(images.shape),
        lambda images: (images / 255).astype(np.uint8),
        lambda images: (images + 125.0).clip(0, 255).astype(np.uint8),
    ],
    ids=["channels swapped", "layout", "normalized twice", "mean not subtracted"],
)
@pytest.mark.parametrize("graph", ["fp32", "int8", "int4"])
def test_no_tolerance_hides_a_wrong_layout_or_a_lost_normalization(session, vectors, see, graph):
    golden.verify(Disturbed(session, "bf16"), vectors, graph=graph)

    with pytest.raises(BundleError, match="a probability is off by"):
        golden.verify(Disturbed(session, "bf16", see=see), vectors, graph=graph)


class Saying:
    """A session that also says how unknown pictures are: by their mean level, stretched."""

    engine, precision, input_shape, classes = "pencil 1.0", "fp32", (16, 16, 3), 3

    def __init__(self, session, *, stretch=1.0):
        self.session, self.stretch = session, stretch

    def run(self, images):
        means = images.mean(axis=(1, 2, 3)).astype(np.float32)
        return Outputs(*self.session.run(images), self.stretch * means)


def test_how_unknown_the_pictures_are_is_measured_and_survives_being_written(session, draft) -> None:
    vectors = golden.measure(Saying(session), draft().preprocess)
    parts = [golden.to_bytes(one) for one in (vectors.inputs, vectors.probabilities, vectors.unknown)]
    found = golden.from_bytes(*parts, preprocess=draft().preprocess, classes=3)

    assert np.allclose(vectors.unknown, vectors.inputs.mean(axis=(1, 2, 3)))
    assert np.array_equal(found.unknown, vectors.unknown)
    golden.verify(Saying(session), found)


@pytest.mark.parametrize(
    ("stretch", "precision", "refused"),
    [(1.0005, "fp32", False), (1.005, "fp32", True), (1.005, "bf16", False), (1.5, "bf16", True)],
)
def test_another_number_beside_the_same_probabilities_is_refused(
    session, draft, stretch, precision, refused
) -> None:
    vectors, other = golden.measure(Saying(session), draft().preprocess), Saying(session, stretch=stretch)
    other.precision = precision
    if not refused:
        golden.verify(other, vectors)
        return
    with pytest.raises(BundleError, match="how unknown a picture is is off by") as caught:
        golden.verify(other, vectors)
    assert caught.value.code == "golden_mismatch"


def test_an_engine_that_loses_the_output_is_refused_and_older_vectors_ask_for_none(session, draft) -> None:
    vectors = golden.measure(Saying(session), draft().preprocess)

    with pytest.raises(BundleError, match="does not say how unknown") as caught:
        golden.verify(session, vectors)
    assert caught.value.code == "golden_mismatch"
    golden.verify(Saying(session), replace(vectors, unknown=None))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda u: u[:2], r"golden_unknown\.npy holds float32 \(2,\)"),
        (lambda u: u[:, None], r"golden_unknown\.npy holds float32 \(4, 1\)"),
        (lambda u: u.astype(np.float64), r"golden_unknown\.npy holds float64"),
        (lambda u: np.where(u > 0, np.float32(np.nan), u), r"golden_unknown\.npy holds NaN"),
    ],
)
def test_broken_numbers_of_the_unknown_are_refused(session, draft, spoil, message) -> None:
    vectors = golden.measure(Saying(session), draft().preprocess)
    parts = [golden.to_bytes(one) for one in (vectors.inputs, vectors.probabilities, spoil(vectors.unknown))]

    with pytest.raises(BundleError, match=message) as caught:
        golden.from_bytes(*parts, preprocess=draft().preprocess, classes=3)
    assert caught.value.code == "tampered"

"""bundle.engines.openvino: the same answers as ONNX Runtime, for any batch, from any thread, in silence."""

import threading

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from foveal.bundle import golden
from foveal.bundle.engines.onnxruntime import onnxruntime
from foveal.bundle.engines.openvino import LARGEST, core, divided, openvino, precisions
from foveal.core import extras, machine
from foveal.core.errors import BundleError, MissingExtraError, UsageError

# Not importorskip: that would import it with its telemetry.
pytestmark = pytest.mark.skipif(extras.missing("openvino") != [], reason="needs the openvino extra")

IMAGES = np.random.default_rng(0).integers(0, 256, (70, 16, 16, 3), dtype=np.uint8)


@pytest.fixture
def model(classifier):
    return onnx.load_from_string(classifier())


@pytest.fixture(scope="module")
def session(classifier):
    return openvino(classifier(), threads=1)


def test_float32_is_really_float32(classifier, session):
    expected, found = onnxruntime(classifier(), threads=1).run(IMAGES), session.run(IMAGES)

    for one, other in zip(expected, found, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-6)
    assert session.compiled(1).graph.get_property("INFERENCE_PRECISION_HINT").get_type_name() == "f32"


def test_session_says_what_it_is(session):
    assert session.engine.startswith("openvino 20")
    assert (session.precision, session.input_shape, session.classes) == ("fp32", (16, 16, 3), 3)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 31, 32, 33, 63, 64, 65, 1000])
def test_parts_are_powers_of_two_that_cover_the_batch_in_order(count):
    ends = list(divided(count))
    sizes = np.diff([0, *ends])

    assert sizes.sum() == count
    assert all(size & (size - 1) == 0 and 1 <= size <= LARGEST for size in sizes.tolist())
    assert len(sizes) <= count // LARGEST + np.log2(LARGEST)


@pytest.mark.parametrize("size", [1, 2, 7, 33, 70])
def test_no_division_into_batches_changes_an_answer(session, size):
    whole = session.run(IMAGES)
    parts = [session.run(IMAGES[start : start + size]) for start in range(0, len(IMAGES), size)]

    for output, expected in enumerate(whole):
        np.testing.assert_allclose(np.concatenate([part[output] for part in parts]), expected, atol=1e-6)


def test_every_size_is_compiled_once_and_has_no_free_side(classifier):
    session = openvino(classifier(), threads=1)
    for count in (*range(1, 40), 64, 65):
        session.run(IMAGES[:count])

    assert sorted(session._sizes) == [(size, 1) for size in (1, 2, 4, 8, 16, 32)]
    for (size, _), compiled in session._sizes.items():
        assert list(compiled.graph.input(0).shape) == [size, 16, 16, 3]


def test_answers_stay_as_they_were_when_others_are_asked_for(session):
    first = session.run(IMAGES[:1])
    kept = [output.copy() for output in first]

    session.run(IMAGES[1:2])

    for output, before in zip(first, kept, strict=True):
        assert np.array_equal(output, before)
        assert output.flags.owndata


def test_many_threads_at_once_get_their_own_answers(classifier):
    session = openvino(classifier(), threads=1)
    expected = [session.run(IMAGES[index : index + 3])[0] for index in range(8)]
    start, found = threading.Barrier(8), {}

    def work(index: int) -> None:
        start.wait()
        found[index] = [session.run(IMAGES[index : index + 3])[0] for _ in range(40)]

    threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert all(np.array_equal(answer, expected[index]) for index in found for answer in found[index])
    assert sum(map(len, found.values())) == 320


@pytest.mark.parametrize(("threads", "streams"), [(1, 2), (2, 1), (3, 1)])
def test_so_many_run_side_by_side_as_the_processors_allow(classifier, monkeypatch, threads, streams):
    monkeypatch.setattr("foveal.bundle.engines.openvino.usable_cpus", lambda: 2)

    graph = openvino(classifier(), threads=threads).compiled(1).graph

    assert graph.get_property("NUM_STREAMS") == streams
    assert graph.get_property("ENABLE_CPU_PINNING") is False


def test_a_request_that_is_in_use_is_not_given_to_a_second_caller(classifier):
    compiled = openvino(classifier(), threads=1).compiled(1)
    compiled.run(IMAGES[:1])
    used = compiled.idle.pop()

    compiled.run(IMAGES[:1])

    assert len(compiled.idle) == 1
    assert compiled.idle[0] is not used


def test_bf16_is_offered_only_where_the_processor_has_it_and_is_coarser(classifier, session):
    if "bf16" not in precisions():
        with pytest.raises(UsageError, match="computes in fp32") as caught:
            openvino(classifier(), threads=1, precision="bf16")
        assert caught.value.code == "no_precision"
        return
    coarse = openvino(classifier(), threads=1, precision="bf16")

    off = np.abs(coarse.run(IMAGES)[0] - session.run(IMAGES)[0]).max()

    assert coarse.precision == "bf16"
    assert 1e-5 < off < 0.05


@pytest.fixture(scope="module")
def quantized(classifier, tmp_path_factory):
    """Return the colour classifier with int8 weights and activations, as QDQ."""
    from onnxruntime import quantization

    class Reader(quantization.CalibrationDataReader):
        def __init__(self) -> None:
            self.batches = iter([{"images": golden.synthetic((16, 16), 3, count=40)}])

        def get_next(self):
            return next(self.batches, None)

    folder = tmp_path_factory.mktemp("int8")
    (folder / "fp32.onnx").write_bytes(classifier())
    quantization.quantize_static(
        folder / "fp32.onnx",
        folder / "int8.onnx",
        Reader(),
        per_channel=True,
        op_types_to_quantize=["Conv", "Gemm"],
    )
    return (folder / "int8.onnx").read_bytes()


@pytest.mark.parametrize("precision", precisions() if extras.missing("openvino") == [] else ())
def test_int8_decides_as_in_onnx_runtime_for_any_batch(quantized, classifier, precision):
    assert b"QuantizeLinear" in quantized
    pictures = golden.synthetic((16, 16), 3, count=37)
    expected = onnxruntime(quantized, threads=1).run(pictures)[0]
    try:
        session = openvino(quantized, threads=1, precision=precision)
    except BundleError as error:  # with AMX it has none for these integers, and must say so
        if precision == "fp32" or "implementations.empty()" not in str(error):
            raise
        pytest.skip(f"OpenVINO has no integers beside {precision} for this processor")

    found = session.run(pictures)[0]

    assert np.abs(expected - onnxruntime(classifier(), threads=1).run(pictures)[0]).max() > 1e-6
    assert np.abs(found - expected).max() < golden.TOLERANCES["int8"] / 2
    assert np.mean(found.argmax(axis=1) != expected.argmax(axis=1)) <= 0.03
    for size in (1, 5, 32):
        parts = [session.run(pictures[start : start + size])[0] for start in range(0, 37, size)]
        np.testing.assert_allclose(np.concatenate(parts), found, atol=golden.TOLERANCES["int8"] / 5)


def test_only_known_precisions_are_taken(classifier):
    assert precisions()[0] == "fp32"
    with pytest.raises(UsageError, match="not in int8"):
        openvino(classifier(), threads=1, precision="int8")


def refusal(model) -> str:
    with pytest.raises(BundleError) as caught:
        openvino(model.SerializeToString(), threads=1)
    assert caught.value.code == "bad_graph"
    return caught.value.message


def test_input_of_another_type_is_refused(model):
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT
    assert "must have one input 'images' of uint8; it has [('images', 'float32')]" in refusal(model)


@pytest.mark.parametrize("shape", [[4, 16, 16, 3], ["N", "H", 16, 3]])
def test_input_where_not_exactly_n_is_free_is_refused(model, shape):
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("images", TensorProto.UINT8, shape))
    assert "with only N free" in refusal(model)


def test_missing_output_is_refused(model):
    del model.graph.output[1]
    assert "must have the outputs 'probabilities' and 'logits' of float32" in refusal(model)


def test_graph_that_does_not_load_is_refused_silently(model, capfd):
    model.graph.node[3].input[1] = "nothing"
    assert "cannot load the model" in refusal(model)
    with pytest.raises(BundleError, match="cannot load the model"):
        openvino(b"\x08\x0a garbage", threads=1)

    assert capfd.readouterr() == ("", "")


def test_answers_that_are_no_probabilities_are_refused(classifier):
    session = openvino(classifier(temperature=0.0), threads=1)

    with pytest.raises(BundleError, match="no probabilities: NaN, infinite") as caught:
        session.run(IMAGES)
    assert caught.value.code == "model_output_invalid"


@pytest.mark.parametrize("images", [IMAGES[:1, :8, :8], IMAGES[:1].astype(np.float32)])
def test_pictures_of_another_kind_are_an_error_of_ours(session, images):
    with pytest.raises(BundleError, match="cannot run the model on") as caught:
        session.run(images)
    assert caught.value.code == "model_failed"


def test_where_it_is_absent_the_exact_command_is_named(classifier, monkeypatch):
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r'pip install "foveal\[openvino\]"'):
        extras.openvino()


def test_threads_beyond_the_processors_still_run(classifier):
    session = openvino(classifier(), threads=machine.usable_cpus() + 2)

    assert session.run(IMAGES[:1])[0].shape == (1, 3)


def test_the_process_has_one_core(project) -> None:
    """With several, one takes the thread's stack for signals with it, and Ctrl-C is a segmentation fault."""
    made = [path for path in (project / "src").rglob("*.py") if ".Core()" in path.read_text(encoding="utf-8")]

    assert [path.name for path in made] == ["openvino.py"]
    assert core() is core()

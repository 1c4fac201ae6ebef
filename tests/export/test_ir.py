"""export.ir: OpenVINO's form decides exactly as the graph it was made from, and is always the same bytes."""

import re
import zipfile

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from foveal.bundle import archive, golden
from foveal.bundle.engines.onnxruntime import onnxruntime
from foveal.bundle.engines.openvino import openvino
from foveal.bundle.ir import Ir, check_ir
from foveal.bundle.predictor import Predictor
from foveal.core import extras
from foveal.core.errors import BundleError, MissingExtraError
from foveal.export.ir import ir, with_ir
from foveal.optimize.steps.quantize import quantize

pytestmark = pytest.mark.skipif(extras.missing("openvino") != [], reason="needs the openvino extra")

PICTURES = golden.synthetic((16, 16), 3, count=37)
XML, BIN = "openvino/model.xml", "openvino/model.bin"


@pytest.fixture(scope="module")
def formed(bundle, tmp_path_factory):
    """Return the colour classifier sealed with OpenVINO's form."""
    path = tmp_path_factory.mktemp("formed") / "colors.foveal"
    with_ir(archive.read(bundle), path)
    return path


@pytest.mark.parametrize("kind", ["fp32", "int8"])
def test_the_form_answers_bit_for_bit_as_the_graph_does_in_the_same_engine(classifier, kind):
    model = classifier() if kind == "fp32" else quantize(classifier(), PICTURES)

    form = ir(model)

    check_ir(form)
    expected = openvino(model, threads=1).run(PICTURES)
    for one, other in zip(openvino(form, threads=1).run(PICTURES), expected, strict=True):
        assert np.array_equal(one, other)


def test_equal_graphs_give_equal_bytes_without_names_or_notes_of_this_machine(classifier):
    one, other = ir(classifier()), ir(classifier())

    assert one == other
    assert set(re.findall(rb' names="([^"]*)"', one.xml)) == {b"images", b"probabilities", b"logits"}
    assert re.search(rb"rt_info|20\d\d\.\d|tmp|filters", one.xml) is None


def test_its_weights_are_those_of_the_graph_in_float32(classifier):
    initializers = onnx.load_from_string(classifier()).graph.initializer
    filters = next(numpy_helper.to_array(i) for i in initializers if i.name == "filters")

    assert filters.tobytes() in ir(classifier()).weights


def test_the_members_are_read_back_and_stand_before_a_report(formed, bundle, tmp_path):
    copy = tmp_path / "copy.foveal"
    copy.write_bytes(formed.read_bytes())
    members = archive.read(copy)
    archive.attach_report(copy, {"digest": members.manifest.digest})

    assert members.forms == {"openvino": ir(members.model)}
    assert archive.read(bundle).forms == {}
    assert archive.read(copy).forms == members.forms
    with zipfile.ZipFile(copy) as packed:
        assert packed.namelist()[-3:] == [XML, BIN, "report.json"]
        assert packed.testzip() is None


def test_the_digest_names_the_form_too_and_stays_where_there_is_none(formed, bundle):
    plain, with_form = archive.read(bundle).manifest, archive.read(formed).manifest

    assert plain.digest != with_form.digest
    assert set(with_form.members) - set(plain.members) == {XML, BIN}
    assert plain.model_dump(exclude={"members", "digest"}) == with_form.model_dump(
        exclude={"members", "digest"}
    )


@pytest.mark.parametrize("threads", [1, 2])
def test_onnx_runtime_answers_as_before_and_openvino_alike(formed, bundle, threads):
    before = Predictor.open(bundle, engine="onnxruntime", threads=threads).run(PICTURES)
    after = Predictor.open(formed, engine="onnxruntime", threads=threads).run(PICTURES)
    other = Predictor.open(formed, engine="openvino", threads=threads).run(PICTURES)

    assert np.array_equal(before.probabilities, after.probabilities)
    np.testing.assert_allclose(other.probabilities, before.probabilities, atol=1e-5)


def other_form(bundle, classifier, path, form):
    members = archive.read(bundle)
    archive.seal(path, members.manifest.draft(), model=members.model, golden=members.golden, ir=form)
    return path


def test_it_is_the_form_that_openvino_runs(bundle, classifier, tmp_path):
    """With the form of another network inside, the golden vectors tell."""
    path = other_form(bundle, classifier, tmp_path / "a.foveal", ir(classifier(temperature=30.0)))

    Predictor.open(path, engine="onnxruntime")
    with pytest.raises(BundleError) as caught:
        Predictor.open(path, engine="openvino")

    assert caught.value.code == "golden_mismatch"


def test_a_form_that_openvino_does_not_load_is_an_error_of_ours(bundle, classifier, tmp_path, capfd):
    form = ir(classifier())
    nonsense = Ir(form.xml.replace(b'type="Convolution"', b'type="Convolutiom"'), form.weights)
    path = other_form(bundle, classifier, tmp_path / "a.foveal", nonsense)

    Predictor.open(path, engine="onnxruntime")
    with pytest.raises(BundleError, match="cannot load the model") as caught:
        Predictor.open(path, engine="openvino")

    assert caught.value.code == "bad_graph"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("cut", [0, 10])
def test_a_form_without_all_of_its_weights_is_neither_sealed_nor_read(bundle, classifier, tmp_path, cut):
    form = ir(classifier())

    with pytest.raises(BundleError, match="outside the weights"):
        other_form(bundle, classifier, tmp_path / "a.foveal", Ir(form.xml, form.weights[:cut]))
    assert list(tmp_path.iterdir()) == []


def test_without_openvino_it_opens_in_onnx_runtime_and_none_can_be_made(
    formed, bundle, classifier, monkeypatch, tmp_path
):
    monkeypatch.setattr(extras, "find_spec", lambda name: None)

    assert Predictor.open(formed).session.engine.startswith("onnxruntime")
    with pytest.raises(MissingExtraError, match=r'pip install "foveal\[openvino\]"'):
        ir(classifier())


def test_any_size_of_batch_gives_the_same_answers_from_the_form(classifier):
    session = openvino(ir(classifier()), threads=1)
    whole = session.run(PICTURES)[0]

    for size in (1, 2, 7, 33):
        parts = [session.run(PICTURES[k : k + size])[0] for k in range(0, len(PICTURES), size)]
        np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-6)
    np.testing.assert_allclose(whole, onnxruntime(classifier(), threads=1).run(PICTURES)[0], atol=1e-5)

"""`foveal export` of what says where something is: integers, OpenVINO's form, and their gates."""

from pathlib import Path

import numpy as np
import pytest

from foveal.bundle import archive
from foveal.bundle.predictor import Predictor
from foveal.core.errors import UsageError
from foveal.core.progress import silent
from foveal.flows._together import Together
from foveal.flows.evaluate import evaluate
from foveal.flows.export import Terms, export

METRIC = {"detector": "map50", "segmenter": "miou"}


@pytest.fixture(scope="module")
def rounded(detector, segmenter, tmp_path_factory: pytest.TempPathFactory):
    """Return the int8 files of both, with OpenVINO's form, and what was said of them."""
    folder = tmp_path_factory.mktemp("rounded")
    found = {}
    for name, result in (("detector", detector), ("segmenter", segmenter)):
        path = folder / f"{name}.foveal"
        terms = Terms(variant="int8", openvino=True)
        found[name] = path, export(result.run, path, terms=terms).as_json()
    return found


@pytest.mark.parametrize(("name", "unit"), [("detector", "objects"), ("segmenter", "pixels")])
def test_a_rounded_file_decides_as_the_one_in_float_and_says_what_it_is(name, unit, rounded, request) -> None:
    path, document = rounded[name]
    before, after = archive.read(request.getfixturevalue(name).bundle).manifest, archive.read(path).manifest

    assert document["ok"]
    assert [gate["id"] for gate in document["gates"]] == ["parity", "flips", "openvino"]
    assert document["parity"]["unit"] == unit
    assert document["parity"]["max_abs_difference"] is None
    assert document["gates"][1]["value"] == document["parity"]["decision_flips"]["value"] <= 0.02
    assert document["gates"][1]["limit"] == 0.02
    assert (after.model.precision, after.model.steps) == ("int8", ("quantize",))
    assert after.model.origin == before.digest, "the run's own file and the float one of export are one"
    assert after.classes == before.classes


@pytest.mark.parametrize("name", ["detector", "segmenter"])
def test_it_is_smaller_and_worth_as_much(name, rounded, request, tmp_path: Path) -> None:
    result = request.getfixturevalue(name)
    data = request.getfixturevalue("voc" if name == "detector" else "maps")
    plain = tmp_path / "int8.foveal"
    export(result.run, plain, terms=Terms(variant="int8"))

    found = evaluate(plain, data, split="test", progress=silent).report.as_json()["metrics"][METRIC[name]]

    assert plain.stat().st_size < 0.35 * result.bundle.stat().st_size
    assert found["value"] > result.evaluation["metrics"][METRIC[name]]["value"] - 0.05


def test_scores_and_thresholds_are_fitted_to_what_the_rounded_graph_answers(rounded, detector) -> None:
    before = archive.read(detector.bundle).manifest.objects
    after = archive.read(rounded["detector"][0]).manifest.objects

    assert after.n == before.n
    assert (after.objects, after.overlap) == (before.objects, before.overlap)
    assert (after.scale, after.shift) != (before.scale, before.shift)
    np.testing.assert_allclose(after.thresholds, before.thresholds, atol=0.3)


@pytest.mark.parametrize("name", ["detector", "segmenter"])
def test_openvino_runs_its_own_form_and_finds_the_same(name, rounded, request) -> None:
    path, document = rounded[name]
    data = request.getfixturevalue("voc" if name == "detector" else "maps")
    some = sorted(data.rglob("*.png"))[:3]
    members = archive.read(path)

    assert set(members.forms) == {"openvino"}
    assert document["openvino"]["size_bytes"] == sum(
        len(part) for part in (members.forms["openvino"].xml, members.forms["openvino"].weights)
    )
    seen = [
        [one.as_json() for one in Predictor.open(path, engine=engine, precision="fp32").see_each(some)]
        for engine in ("onnxruntime", "openvino")
    ]
    for one, other in zip(*seen, strict=True):
        assert one.get("counts") == other.get("counts")
        for area, share in (one.get("areas") or {}).items():
            assert other["areas"][area] == pytest.approx(share, abs=0.01)


def test_in_float_openvinos_form_is_held_to_the_network_itself(segmenter, tmp_path: Path) -> None:
    document = export(segmenter.run, tmp_path / "both.foveal", terms=Terms(openvino=True)).as_json()

    assert document["ok"]
    assert document["openvino"]["parity"]["clear_flips"] == 0
    assert document["openvino"]["parity"]["max_abs_difference"] <= 1e-4


def test_several_detectors_do_not_answer_together(detector, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="answers alone") as refused:
        export(
            detector.run, tmp_path / "two.foveal", terms=Terms(together=Together((detector.run,), None, 8))
        )

    assert refused.value.code == "other_task"
    assert not (tmp_path / "two.foveal").exists()

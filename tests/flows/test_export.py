"""flows.export: the same file again, from the run and its data, or a reason why not."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from foveal.bundle import archive
from foveal.bundle.footprint import Footprint
from foveal.bundle.predictor import Predictor
from foveal.core import extras
from foveal.core.errors import (
    BundleError,
    DataError,
    MissingExtraError,
    NotFoundError,
    UsageError,
    WriteError,
)
from foveal.export import sealing
from foveal.export.lowering import Lowering
from foveal.export.parity import Parity
from foveal.flows import _stages
from foveal.flows.export import ExportResult, Terms, export
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.optimize.rounding import ROUNDINGS
from foveal.train.recipe import read_recipe, write_recipe

with_openvino = pytest.mark.skipif(extras.missing("openvino") != [], reason="needs the openvino extra")
ENGINES = ("onnxruntime", "openvino")


def contents(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def run(trained, tmp_path):
    """Return a copy of a finished run."""
    return Path(shutil.copytree(trained.run, tmp_path / "run"))


def test_it_is_the_bundle_of_the_run_to_the_bit_of_its_digest_and_the_run_is_only_read(
    run, trained, tmp_path
):
    before = contents(run)

    result = export(run, tmp_path / "again.foveal")

    document = result.as_json()
    assert document["schema"] == "foveal.export/1"
    assert document["ok"] is True
    assert document["digest"] == trained.document["digest"]
    assert document["parity"] == trained.document["parity"]
    assert document["size_bytes"] == (tmp_path / "again.foveal").stat().st_size
    ours, theirs = archive.read(tmp_path / "again.foveal").manifest, archive.read(trained.bundle).manifest
    assert ours.model_dump(exclude={"members"}) == theirs.model_dump(exclude={"members"})
    assert {**ours.members, "report.json": theirs.members["report.json"]} == theirs.members
    assert contents(run) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.foveal", "run"]


def test_data_that_moved_are_named_and_others_refused(run, trained, colors, tmp_path):
    moved = shutil.copytree(colors, tmp_path / "elsewhere" / "colors")
    command = json.loads((run / "command.json").read_text())
    (run / "command.json").write_text(json.dumps({**command, "data": str(tmp_path / "gone")}))

    with pytest.raises(NotFoundError, match=r"found its data at .*gone, where nothing is now") as caught:
        export(run, tmp_path / "a.foveal")
    assert "--data DATA" in caught.value.hint
    export(run, tmp_path / "a.foveal", data=moved)
    (moved / "red" / "000.png").unlink()
    with pytest.raises(DataError) as caught:
        export(run, tmp_path / "b.foveal", data=moved)

    assert caught.value.code == "split_mismatch"
    assert archive.read(tmp_path / "a.foveal").manifest.digest == trained.document["digest"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.foveal", "elsewhere", "run"]


def test_a_run_of_an_older_version_does_not_say_where_its_data_are(run, colors, tmp_path):
    (run / "command.json").write_text('{"name": "colors", "strict": false}')

    with pytest.raises(NotFoundError, match="does not say where its data are"):
        export(run, tmp_path / "a.foveal")

    assert export(run, tmp_path / "a.foveal", data=colors).bundle is not None


def test_an_export_that_decides_differently_leaves_no_file(run, tmp_path, monkeypatch):
    monkeypatch.setattr(sealing, "calibrated", lambda z, t: np.roll(np.float32(z), 1, axis=1))
    (tmp_path / "a.foveal").write_bytes(b"an older one")

    document = export(run, tmp_path / "a.foveal", terms=Terms(force=True)).as_json()

    assert (document["ok"], document["bundle"], document["size_bytes"]) == (False, None, None)
    assert document["gates"][0]["verdict"] == "fail"
    assert not (tmp_path / "a.foveal").exists()


def test_places_that_cannot_be_are_refused_before_any_work(run, colors, tmp_path):
    def refused(out: Path, kind: type[Exception], match: str) -> None:
        with pytest.raises(kind, match=match):
            export(run, out)

    (tmp_path / "there.foveal").write_bytes(b"x")
    refused(tmp_path / "a.onnx", UsageError, "ends in .foveal")
    refused(tmp_path / "there.foveal", WriteError, "is there already")
    refused(tmp_path / "none" / "a.foveal", WriteError, "there is no folder")
    refused(colors / "a.foveal", WriteError, "only read")
    refused(run / "second.foveal", WriteError, "holds a bundle already")
    assert (tmp_path / "there.foveal").read_bytes() == b"x"


@pytest.mark.parametrize(
    ("lost", "hint"), [("recipe.toml", "RUN is a folder of foveal train"), ("split.json", "--resume")]
)
def test_a_folder_that_holds_no_finished_run_is_refused(run, tmp_path, lost, hint):
    (run / lost).unlink()

    with pytest.raises(NotFoundError, match=f"no finished run: it has no {lost}") as caught:
        export(run, tmp_path / "a.foveal")

    assert hint in caught.value.hint


def test_a_variant_that_there_is_not_names_those_that_there_are(run, tmp_path):
    with pytest.raises(UsageError, match="no variant 'int2'") as caught:
        export(run, tmp_path / "a.foveal", terms=Terms("int2"))

    assert caught.value.code == "unknown_variant"
    assert "fp32, int8, mixed, w4a8, int4" in caught.value.hint


@pytest.mark.parametrize("variant", ["int8", "mixed"])
def test_a_rounded_file_is_behind_two_gates_and_promises_what_was_fitted_on_itself(
    run, trained, tmp_path, variant
):
    document = export(run, tmp_path / "a.foveal", terms=Terms(variant)).as_json()

    made, whole = archive.read(tmp_path / "a.foveal").manifest, archive.read(trained.bundle).manifest
    assert (document["ok"], document["variant"], document["openvino"]) == (True, variant, None)
    assert [(gate["id"], gate["verdict"]) for gate in document["gates"]] == [
        ("parity", "pass"),
        ("flips", "pass"),
    ]
    assert document["parity"]["decision_flips"]["value"] == document["gates"][1]["value"] <= 0.005
    assert document["parity"]["images"] == whole.data.images.calib + whole.data.images.test
    assert document["digest"] == made.digest != whole.digest
    assert document["size_bytes"] < trained.bundle.stat().st_size
    assert (made.model.precision, made.model.origin) == ("int8", whole.digest)
    assert made.model.steps == (ROUNDINGS[variant].step,)
    assert made.temperature != whole.temperature
    assert made.decision.abstain.n == whole.decision.abstain.n
    assert made.decision.conformal.quantile != whole.decision.conformal.quantile


def test_a_rounded_file_that_changes_answers_leaves_no_file(run, tmp_path, monkeypatch):
    def shuffled(model, shown, name, *, progress):
        """The same graph with the logits of two classes exchanged: every answer is another one."""
        progress("sensitivity", 1, 1)
        loaded = onnx.load_from_string(model)
        swap = helper.make_node("Gather", ["own", "order"], ["logits"], axis=1)
        for node in loaded.graph.node:
            node.output[:] = ["own" if output == "logits" else output for output in node.output]
        place = next(k for k, node in enumerate(loaded.graph.node) if "own" in node.output)
        loaded.graph.node.insert(place + 1, swap)
        order = numpy_helper.from_array(np.array([1, 2, 0]), "order")
        loaded.graph.initializer.append(order)
        return Lowering(loaded.SerializeToString(deterministic=True), "int8", ("shuffle",))

    monkeypatch.setattr(_stages, "rounded", shuffled)
    (tmp_path / "a.foveal").write_bytes(b"an older one")
    told = []

    document = export(
        run,
        tmp_path / "a.foveal",
        terms=Terms("int8", openvino=True, force=True),
        progress=lambda stage, done, total, note="": told.append(stage),
    ).as_json()

    assert (document["ok"], document["bundle"], document["digest"]) == (False, None, None)
    assert [gate["verdict"] for gate in document["gates"]] == ["pass", "fail"]
    assert document["gates"][1]["value"] > 0.9
    assert document["openvino"] is None  # not come to
    assert "sensitivity" in told, "what rounding tells is passed on"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


@with_openvino
@pytest.mark.parametrize("variant", ["fp32", "int8"])
def test_openvinos_form_is_tried_compared_and_weighed(run, tmp_path, variant):
    document = export(run, tmp_path / "a.foveal", terms=Terms(variant, openvino=True)).as_json()

    members = archive.read(tmp_path / "a.foveal")
    form, last = members.forms["openvino"], document["gates"][-1]
    assert document["ok"] is True
    assert (last["id"], last["verdict"]) == ("openvino", "pass")
    assert last["limit"] == (1e-4 if variant == "fp32" else 0.005)
    assert document["openvino"]["size_bytes"] == len(form.xml) + len(form.weights)
    assert document["openvino"]["parity"]["images"] == document["parity"]["images"]
    assert document["size_bytes"] == (tmp_path / "a.foveal").stat().st_size
    assert document["size_bytes"] > len(members.model) + len(form.weights)
    pictures = members.golden.inputs
    before, after = (Predictor.open(tmp_path / "a.foveal", engine=e).run(pictures) for e in ENGINES)
    np.testing.assert_allclose(
        after.probabilities, before.probabilities, atol=1e-4 if variant == "fp32" else 0.05
    )


@with_openvino
def test_a_form_that_decides_differently_leaves_no_file(run, tmp_path, monkeypatch):
    honest = _stages.outputs  # of this export only OpenVINO's answers come this way
    monkeypatch.setattr(_stages, "outputs", lambda *told: [np.roll(honest(*told)[0], 1, axis=1)])

    document = export(run, tmp_path / "a.foveal", terms=Terms(openvino=True)).as_json()

    assert (document["ok"], document["bundle"]) == (False, None)
    assert [(gate["id"], gate["verdict"]) for gate in document["gates"]] == [
        ("parity", "pass"),
        ("openvino", "fail"),
    ]
    assert document["openvino"]["size_bytes"] is None
    assert document["parity"]["clear_flips"] == 0 < document["openvino"]["parity"]["clear_flips"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


@with_openvino
def test_a_form_that_does_not_live_is_found_out_in_another_process(run, tmp_path, monkeypatch):
    died = Footprint(None, BundleError("it does not live: killed by signal 11", code="engine_died"))
    monkeypatch.setattr(_stages, "footprint", lambda path, way, *, batch: died)

    with pytest.raises(BundleError, match="signal 11") as caught:
        export(run, tmp_path / "a.foveal", terms=Terms(openvino=True))

    assert "leave --openvino out" in caught.value.hint
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


def test_without_openvino_its_form_is_refused_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setattr(extras, "find_spec", lambda name: None)

    with pytest.raises(MissingExtraError, match=r'--openvino needs .* pip install "foveal\[openvino\]"'):
        export(tmp_path / "none", tmp_path / "a.foveal", terms=Terms(openvino=True))


@pytest.mark.parametrize(("images", "unproven"), [(40, ("flips",)), (736, ()), (735, ("flips",))])
def test_a_gate_on_changed_answers_is_proven_only_by_the_end_of_its_interval(images, unproven):
    """None of 736 changed: 1 - 0.025^(1/736) is just below half a percent."""
    rounded = Parity(0.01, clopper_pearson(0, images), 0, images)
    gates = (Parity(0.0, clopper_pearson(0, images), 0, images).gate(), rounded.rounded_gate())

    found = ExportResult(Path("run"), Terms("int8"), rounded, None, gates, None)

    assert [gate.verdict for gate in gates] == ["pass", "pass"]
    assert found.unproven == unproven


def test_what_the_recipe_promises_is_what_the_file_promises(run, tmp_path):
    asked = {"sets": "aps", "alpha": 0.25, "sets_delta": 0.2, "risk": 0.1}
    write_recipe(read_recipe(run / "recipe.toml").changed(**asked), run / "recipe.toml")

    export(run, tmp_path / "a.foveal", terms=Terms("int8"))

    decision = archive.read(tmp_path / "a.foveal").manifest.decision
    conformal = decision.conformal
    assert (conformal.method, conformal.alpha, conformal.delta) == ("aps", 0.25, 0.2)
    assert decision.abstain.risk == 0.1

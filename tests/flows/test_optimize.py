"""flows.optimize: what it claims is what others measure, nothing is done twice, and no is an answer."""

import json
import shutil
from pathlib import Path

import pytest

from foveal.bundle import archive, ways
from foveal.core.errors import NotFoundError, UsageError, WriteError
from foveal.flows.evaluate import evaluate
from foveal.flows.optimize import DOCUMENT, Terms, optimize
from foveal.optimize.budget import Budget

HERE = (ways.REFERENCE,)


def terms(*, train=False, **limits):
    limits = {"drop": 0.2, "seconds": 30.0, **limits}
    return Terms(Budget(**limits), train=train, threads=1, engines=HERE)


@pytest.fixture(scope="module")
def searched(trained, tmp_path_factory):
    """Return the folder and the document of a search that trains; for reading only."""
    out = tmp_path_factory.mktemp("searches") / "search"
    return out, optimize(trained.run, terms=terms(train=True), out=out)


def refuted(*_):
    return {
        "images": 30,
        "accuracy": {"value": 0.1, "low": 0.0, "high": 0.3, "n": 30, "method": "clopper-pearson"},
        "original_accuracy": {"value": 1.0, "low": 0.9, "high": 1.0, "n": 30, "method": "clopper-pearson"},
        "drop": {"value": 0.9, "low": 0.7, "high": 1.0, "n": 30, "method": "tango"},
        "agreement": 0.1,
        "report": {},
    }


class TestDocument:
    def test_it_is_the_contracts(self, searched) -> None:
        out, document = searched

        assert document["schema"] == "foveal.optimize/1"
        assert document == json.loads((out / DOCUMENT).read_text())
        for row in document["variants"]:
            assert {"name", "steps", "accuracy", "drop", "latency_ms", "size_bytes", "verdict"} <= row.keys()
            assert row["accuracy"]["low"] <= row["accuracy"]["value"] <= row["accuracy"]["high"]
            assert row["latency_ms"]["p50"] <= row["latency_ms"]["p99"]
        assert set(document["pareto"]) <= {row["name"] for row in document["variants"]}

    def test_the_original_and_its_integers_are_there_and_trained_ones(self, searched) -> None:
        names = [row["name"] for row in searched[1]["variants"]]

        assert names[0] == "original"
        assert "original-int8" in names
        assert any(name.endswith("-short") for name in names)
        assert len(set(names)) == len(names)

    def test_every_file_says_where_it_comes_from_and_what_was_done(self, searched, trained) -> None:
        out, document = searched
        origin = archive.read(trained.bundle).manifest.digest

        for row in document["variants"][1:]:
            found = sorted((out / "variants" / row["name"]).glob("*.foveal"))
            for path in found:
                model = archive.read(path).manifest.model
                assert model.origin == origin
                assert list(model.steps)[: len(row["steps"])] == row["steps"]


class TestWhatIsRecommended:
    def test_evaluate_measures_what_was_claimed(self, searched, colors) -> None:
        _, document = searched

        found = evaluate(document["bundle"], colors)

        assert found.report.metrics.accuracy.as_json() == document["test"]["accuracy"]
        assert found.report.as_json()["provenance"]["unseen"] == "split"

    def test_its_report_is_about_it(self, searched) -> None:
        bundle = archive.read(searched[1]["bundle"])

        assert bundle.manifest.digest == searched[1]["digest"]
        assert bundle.report["digest"] == searched[1]["digest"]


class TestGoingOn:
    def test_a_search_that_was_stopped_goes_on_with_what_it_had(self, trained, tmp_path, stopped_at) -> None:
        out = tmp_path / "search"
        with pytest.raises(KeyboardInterrupt):
            optimize(trained.run, terms=terms(train=True), out=out, progress=stopped_at("train"))
        before = (out / "variants" / "original-int8" / "variant.json").read_bytes()

        document = optimize(trained.run, terms=terms(train=True), out=out)

        assert (out / "variants" / "original-int8" / "variant.json").read_bytes() == before
        assert any(row["name"].endswith("-short") for row in document["variants"])

    def test_a_finished_search_is_not_done_again(self, searched, trained) -> None:
        out, document = searched
        files = {path: path.stat().st_mtime_ns for path in (out / "variants").rglob("*") if path.is_file()}

        again = optimize(trained.run, terms=terms(train=True), out=out)

        for path, written in files.items():
            assert path.stat().st_mtime_ns == written, path
        changing = {"seconds", "machine"}
        assert {k: v for k, v in again.items() if k not in changing} == {
            k: v for k, v in document.items() if k not in changing
        }

    def test_other_limits_need_another_folder(self, searched, trained) -> None:
        with pytest.raises(UsageError) as refused:
            optimize(trained.run, terms=terms(train=True, drop=0.5), out=searched[0])
        assert refused.value.code == "other_search"


class TestNo:
    def test_what_the_test_pictures_refute_is_not_delivered(self, trained, tmp_path, monkeypatch) -> None:
        from foveal.flows import _optimize_run as flow

        monkeypatch.setattr(flow, "_measured_on_test", refuted)

        document = optimize(trained.run, terms=terms(), out=tmp_path / "search")

        assert document["ok"] is False
        assert document["bundle"] is None
        assert [gate["verdict"] for gate in document["gates"]] == ["fail"]
        assert "not proven" in document["verdict"]
        assert not list((tmp_path / "search").glob("*.foveal"))

    def test_limits_that_nothing_keeps_are_answered_with_what_would_be_feasible(
        self, trained, tmp_path
    ) -> None:
        document = optimize(trained.run, terms=terms(latency_seconds=1e-7), out=tmp_path / "search")

        assert document["ok"] is False
        assert document["feasible"] is False
        assert document["bundle"] is None
        assert document["nearest"]["latency"] > 1e-7
        assert "not feasible" in document["verdict"]

    def test_without_training_nothing_is_trained(self, trained, tmp_path) -> None:
        document = optimize(trained.run, terms=terms(), out=tmp_path / "search")

        assert {row["name"] for row in document["variants"]} == {"original", "original-int8"}

    def test_force_removes_what_a_search_wrote_and_nothing_else(self, trained, tmp_path) -> None:
        out = tmp_path / "search"
        optimize(trained.run, terms=terms(), out=out)
        (out / "notes.txt").write_text("mine")

        document = optimize(trained.run, terms=terms(drop=0.3), out=out, force=True)

        assert (out / "notes.txt").read_text() == "mine"
        assert document["limits"]["drop"] == 0.3

    def test_the_same_variants_come_out_with_one_engine_that_is_not_the_reference(
        self, trained, tmp_path
    ) -> None:
        only = Terms(Budget(drop=0.2, seconds=30.0), train=False, threads=1, engines=("openvino",))

        document = optimize(trained.run, terms=only, out=tmp_path / "search")

        engines = {row["name"]: row["engine"] for row in document["variants"]}
        assert engines["original"] == ways.REFERENCE
        assert engines["original-int8"] == "openvino"

    def test_a_folder_with_something_else_is_left_alone(self, trained, tmp_path) -> None:
        (tmp_path / "mine.txt").write_text("mine")

        with pytest.raises(WriteError):
            optimize(trained.run, terms=terms(), out=tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]

    def test_a_run_that_is_not_finished_is_refused(self, trained, tmp_path) -> None:
        run = Path(shutil.copytree(trained.run, tmp_path / "run"))
        (run / "model" / "weights.safetensors").unlink()

        with pytest.raises(NotFoundError):
            optimize(run, terms=terms(), out=tmp_path / "search")

"""flows.optimize: what it claims is what others measure, nothing is done twice, and no is an answer."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from foveal.bundle import archive, ways
from foveal.bundle.bandwidth import Level
from foveal.bundle.roofline import Peak, Roofline
from foveal.cli._main import run
from foveal.core import machine
from foveal.core.errors import NotFoundError, UsageError, WriteError
from foveal.core.progress import silent
from foveal.flows._optimize_run import OfRun
from foveal.flows.evaluate import evaluate
from foveal.flows.optimize import DOCUMENT, REPORT, Terms, optimize
from foveal.optimize.budget import Budget

HERE = (ways.REFERENCE,)


def terms(*, train=False, engines=HERE, **limits):
    limits = {"drop": 0.2, "seconds": 2.0, **limits}
    return Terms(Budget(**limits), train=train, threads=1, engines=engines)


@dataclass(frozen=True)
class Search:
    """A search that was stopped in its first lesson and went on.

    Attributes:
        out: Its folder.
        document: What it came to.
        early: What of its files was there when it was stopped, with the time of writing.
    """

    out: Path
    document: dict
    early: dict


def written(out: Path) -> dict:
    return {path: path.stat().st_mtime_ns for path in (out / "variants").rglob("*.json")}


@pytest.fixture(scope="module")
def still():
    """Let the clock stand still and lessons be short: what a search does is up to no machine then."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("foveal.optimize.search._MOST_CANDIDATES", 2)
        patch.setattr("foveal.optimize.search._LEAST_LESSON", 0.1)
        patch.setattr("foveal.optimize.workshop.Workshop._spent", lambda _: 0.0)
        yield


@pytest.fixture(scope="module")
def searched(trained, still, stopped_at, tmp_path_factory):
    """Return a search that trains; for reading only."""
    out = tmp_path_factory.mktemp("searches") / "search"
    with pytest.raises(KeyboardInterrupt):
        optimize(trained.run, terms=terms(train=True), out=out, progress=stopped_at("train"))
    early = written(out)
    return Search(out, optimize(trained.run, terms=terms(train=True), out=out), early)


@pytest.fixture(scope="module")
def plain(trained, still, tmp_path_factory):
    """Return the folder of a search that does not train; for reading and copying only."""
    out = tmp_path_factory.mktemp("searches") / "plain"
    optimize(trained.run, terms=terms(), out=out)
    return out


@pytest.fixture
def copied(plain, tmp_path):
    return Path(shutil.copytree(plain, tmp_path / "search"))


def refuted(*_):
    return {
        "images": 30,
        "independent": 30,
        "accuracy": {"value": 0.1, "low": 0.0, "high": 0.3, "n": 30, "method": "clopper-pearson"},
        "original_accuracy": {"value": 1.0, "low": 0.9, "high": 1.0, "n": 30, "method": "clopper-pearson"},
        "drop": {"value": 0.9, "low": 0.7, "high": 1.0, "n": 30, "method": "tango"},
        "agreement": 0.1,
        "report": {},
    }


class TestDocument:
    def test_it_is_the_contracts(self, searched) -> None:
        document = searched.document

        assert document["schema"] == "foveal.optimize/1"
        assert document == json.loads((searched.out / DOCUMENT).read_text())
        for row in document["variants"]:
            assert {"name", "steps", "accuracy", "drop", "latency_ms", "size_bytes", "verdict"} <= row.keys()
            assert row["accuracy"]["low"] <= row["accuracy"]["value"] <= row["accuracy"]["high"]
            assert row["latency_ms"]["p50"] <= row["latency_ms"]["p99"]
            assert 0 < row["cpu_ms"]["low"] <= row["cpu_ms"]["value"] <= row["cpu_ms"]["high"]
        assert set(document["pareto"]) <= {row["name"] for row in document["variants"]}

    def test_the_original_and_its_integers_are_there_and_trained_ones(self, searched) -> None:
        names = [row["name"] for row in searched.document["variants"]]

        assert names[0] == "original"
        assert "original-int8" in names
        assert any(name.endswith("-short") for name in names)
        assert any(name.endswith("-long") for name in names)
        assert len(set(names)) == len(names)

    def test_each_step_is_told_beside_what_it_began_from(self, searched) -> None:
        rows = {row["name"]: row for row in searched.document["variants"]}

        found = {one["name"]: one for one in searched.document["effects"]}

        assert list(found) == list(rows)[1:]
        for name, one in found.items():
            before, after = rows[one["before"]], rows[name]
            assert one["size_ratio"] == pytest.approx(after["size_bytes"] / before["size_bytes"])
            lost = after["drop"]["value"] - before["drop"]["value"]
            assert one["drop"]["value"] == pytest.approx(lost)
            if name.endswith("-int8"):
                assert one["before"] == name.removesuffix("-int8")
            if name.endswith("-long"):
                assert one["before"] == name.replace("-long", "-short")

    def test_what_an_answer_moves_is_a_quarter_in_integers(self, searched) -> None:
        rows = {row["name"]: row for row in searched.document["variants"]}
        float_row, int8 = rows["original"], rows["original-int8"]
        weights = float_row["parameters"]

        assert (float_row["computed"], int8["computed"]) == ("fp32", "int8")
        assert float_row["moved_bytes"] - int8["moved_bytes"] == 3 * weights
        assert searched.document["roofline"] is None, "the search was too short to measure the machine"
        assert "five minutes" in (searched.out / REPORT).read_text()

    def test_each_candidate_was_tried_or_says_why_not(self, searched) -> None:
        rows = json.loads((searched.out / "candidates" / "candidates.json").read_text())

        assert all((row["place"] is None) == (row["left_out"] is not None) for row in rows)
        names = [row["name"] for row in searched.document["variants"]]
        tried = {name.partition("-short")[0] for name in names if "-short" in name}
        assert tried
        assert tried <= {row["name"] for row in rows if row["place"]}

    def test_every_file_says_where_it_comes_from_and_what_was_done(self, searched, trained) -> None:
        origin = archive.read(trained.bundle).manifest.digest

        for row in searched.document["variants"][1:]:
            found = sorted((searched.out / "variants" / row["name"]).glob("*.foveal"))
            for path in found:
                model = archive.read(path).manifest.model
                assert model.origin == origin
                assert list(model.steps)[: len(row["steps"])] == row["steps"]


class TestWhatIsRecommended:
    def test_evaluate_measures_what_was_claimed(self, searched, colors) -> None:
        found = evaluate(searched.document["bundle"], colors)

        assert found.report.metrics.accuracy.as_json() == searched.document["test"]["accuracy"]
        assert found.report.as_json()["provenance"]["unseen"] == "split"

    def test_its_report_is_about_it(self, searched) -> None:
        bundle = archive.read(searched.document["bundle"])

        assert bundle.manifest.digest == searched.document["digest"]
        assert bundle.report["digest"] == searched.document["digest"]


class TestGoingOn:
    def test_a_search_that_was_stopped_goes_on_with_what_it_had(self, searched) -> None:
        variant = searched.out / "variants" / "original-int8" / "variant.json"

        assert variant in searched.early
        assert not any("model" in path.parts for path in searched.early), "it was stopped in the first lesson"
        for path, written_at in searched.early.items():
            assert path.stat().st_mtime_ns == written_at, path

    def test_a_finished_search_is_not_done_again(self, searched, trained) -> None:
        files = written(searched.out)

        again = optimize(trained.run, terms=terms(train=True), out=searched.out)

        assert written(searched.out) == files
        changing = {"seconds", "machine"}
        assert {k: v for k, v in again.items() if k not in changing} == {
            k: v for k, v in searched.document.items() if k not in changing
        }

    def test_other_limits_need_another_folder(self, searched, trained) -> None:
        with pytest.raises(UsageError) as refused:
            optimize(trained.run, terms=terms(train=True, drop=0.5), out=searched.out)
        assert refused.value.code == "other_search"

    @pytest.mark.parametrize(
        ("place", "found", "said"),
        [
            ("cpu_name", "another processor", "cpu '"),
            ("usable_cpus", 64, "(here 64)"),
            ("cpu_features", ("AVX9",), "features ["),
            ("_version", "9.9", "onnxruntime '"),
        ],
    )
    def test_times_of_one_machine_are_never_mixed_with_those_of_another(
        self, copied, trained, monkeypatch, place, found, said
    ) -> None:
        before = {path: path.read_bytes() for path in copied.rglob("*") if path.is_file()}
        monkeypatch.setattr(machine, place, lambda *_: found)

        with pytest.raises(UsageError) as refused:
            optimize(trained.run, terms=terms(), out=copied)

        assert refused.value.code == "other_environment"
        assert said in refused.value.message
        assert "go on where it was begun" in refused.value.hint
        assert {path: path.read_bytes() for path in copied.rglob("*") if path.is_file()} == before

    def test_other_limits_are_told_first_and_a_folder_that_does_not_say_where_is_refused(
        self, copied, trained, monkeypatch
    ) -> None:
        request = json.loads((copied / "request.json").read_text())
        unsaid = {key: value for key, value in request.items() if key not in ("machine", "versions")}
        (copied / "request.json").write_text(json.dumps(unsaid))

        with pytest.raises(UsageError) as refused:
            optimize(trained.run, terms=terms(), out=copied)
        assert refused.value.code == "other_environment"
        with pytest.raises(UsageError) as refused:
            optimize(trained.run, terms=terms(drop=0.3), out=copied)
        assert refused.value.code == "other_search"

    def test_the_seed_reaches_what_is_shown_and_how_is_taught(self, trained, tmp_path) -> None:
        found = OfRun.find(trained.run, None).setup(tmp_path, train=True, seed=5, progress=silent)

        assert (found.roles.seed, found.learning.seed) == (5, 5)


class TestLimitsOfTheMachine:
    def test_they_are_measured_once_and_every_variant_is_seen_under_them(
        self, copied, trained, monkeypatch
    ) -> None:
        from foveal.flows import optimize as flow

        levels = (Level("memory", 1, None, 1e10, 0.1),)
        peaks = tuple(Peak(name, 1, "an engine", 1e12, 0.1, 9) for name in ("fp32", "int8"))
        asked = []
        monkeypatch.setattr(flow.roofline, "roofline", lambda: asked.append(1) or Roofline(peaks, levels))
        monkeypatch.setattr(flow, "_LEAST_FOR_ROOF", 1.0)

        for _ in range(2):
            document = optimize(trained.run, terms=terms(), out=copied)

        assert len(asked) == 1
        for row in document["variants"]:  # so fast a processor waits for memory
            assert row["bound_ms"] == pytest.approx(row["moved_bytes"] / 1e10 * 1e3)
            assert row["roofline_share"] == pytest.approx(row["bound_ms"] / row["latency_ms"]["p50"])
        assert "Variants under the roofs of this machine" in (copied / REPORT).read_text()


class TestNo:
    def test_what_the_test_pictures_refute_is_not_delivered(self, copied, trained, monkeypatch) -> None:
        from foveal.flows import _optimize_run as flow

        monkeypatch.setattr(flow, "_measured_on_test", refuted)
        (copied / "test.json").unlink()

        document = optimize(trained.run, terms=terms(), out=copied)

        assert document["ok"] is False
        assert document["bundle"] is None
        assert [gate["verdict"] for gate in document["gates"]] == ["fail"]
        assert "not kept" in document["verdict"]
        assert document["recommended"] is None
        [row] = [row for row in document["variants"] if row["name"] == document["chosen"]]
        assert row["code"] == "refuted"
        assert not list(copied.glob("*.foveal"))

    def test_the_run_is_only_read(self, trained) -> None:
        with pytest.raises(WriteError) as refused:
            optimize(trained.run, terms=terms(), out=trained.run / "search")
        assert refused.value.code == "inside_data"
        assert not (trained.run / "search").exists()

    def test_limits_that_nothing_keeps_are_answered_with_what_would_be_feasible_and_exit_10(
        self, copied, trained, capsys
    ) -> None:
        """The folder holds another search: --force removes what that wrote, and nothing else."""
        (copied / "notes.txt").write_text("mine")
        line = ["optimize", str(trained.run), "--no-train", "--engine", ways.REFERENCE, "--threads", "1"]
        line += ["--time", "2s", "--max-drop", "20pt", "--max-p99", "0.0001ms", "--out", str(copied)]

        assert run([*line, "--force", "--json", "-q"]) == 10

        document = json.loads(capsys.readouterr().out)
        assert (document["ok"], document["feasible"], document["bundle"]) == (False, False, None)
        assert document["limits"]["p99_ms"] == pytest.approx(1e-4)
        assert {row["code"] for row in document["variants"]} == {"outside"}
        kept = [row["latency_ms"]["p99"] for row in document["variants"] if row["outside"] == ["p99"]]
        assert document["nearest"]["p99_ms"] == pytest.approx(min(kept))
        assert not list(copied.glob("*.foveal")), "what the other search recommended is gone"
        assert (copied / "notes.txt").read_text() == "mine"

        assert run([*line, "-q"]) == 10
        assert "not feasible within these limits; best reachable: p99 " in capsys.readouterr().out

    def test_without_training_nothing_is_trained(self, plain) -> None:
        document = json.loads((plain / DOCUMENT).read_text())

        assert {row["name"] for row in document["variants"]} == {"original", "original-int8"}

    def test_the_same_variants_come_out_with_one_engine_that_is_not_the_reference(
        self, trained, still, tmp_path, monkeypatch
    ) -> None:
        monkeypatch.setattr(ways, "here", lambda names: dict.fromkeys(names, ("fp32",)))

        document = optimize(trained.run, terms=terms(engines=("openvino",)), out=tmp_path / "search")

        engines = {row["name"]: row["engine"] for row in document["variants"]}
        assert engines["original"] == ways.REFERENCE
        assert engines["original-int8"] == "openvino"

    def test_a_folder_with_something_else_is_left_alone(self, trained, tmp_path) -> None:
        (tmp_path / "mine.txt").write_text("mine")

        with pytest.raises(WriteError):
            optimize(trained.run, terms=terms(), out=tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]

    def test_a_run_that_is_not_finished_is_refused(self, trained, tmp_path) -> None:
        unfinished = Path(shutil.copytree(trained.run, tmp_path / "run"))
        (unfinished / "model" / "weights.safetensors").unlink()

        with pytest.raises(NotFoundError):
            optimize(unfinished, terms=terms(), out=tmp_path / "search")

"""flows.optimize of a bundle with pictures: agreement is the measure, and no picture has two roles."""

import html
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from foveal.bundle import archive, ways
from foveal.bundle.predictor import Predictor
from foveal.core.errors import DataError, NotFoundError, UsageError
from foveal.core.progress import silent
from foveal.data import split as splits
from foveal.data.dataset import content_hash
from foveal.export.lowering import Lowering
from foveal.flows import _optimize_pictures
from foveal.flows._optimize_pictures import OfBundle, divided
from foveal.flows.optimize import Terms, optimize
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.optimize import search
from foveal.optimize.budget import Budget
from foveal.optimize.rounding import ROUNDINGS

CHANGING = {"seconds", "machine", "report", "run", "bundle"}


def terms(**limits) -> Terms:
    limits = {"drop": 0.1, "seconds": 20.0, **limits}
    return Terms(Budget(**limits), threads=1, engines=(ways.REFERENCE,))


@pytest.fixture(scope="module")
def searched(bundle, colors, tmp_path_factory):
    """Return the folder and the document of a search; for reading only."""
    out = tmp_path_factory.mktemp("searches") / "search"
    return out, optimize(bundle, colors, terms=terms(), out=out)


@pytest.fixture
def again(searched, tmp_path) -> Path:
    """A finished search of one's own."""
    return Path(shutil.copytree(searched[0], tmp_path / "again"))


def setup(bundle: Path, pictures: Path, out: Path):
    found = OfBundle.find(bundle, [pictures], seed=0, progress=silent)
    return found.setup(out, train=False, seed=0, progress=silent)


def copied(files, folder: Path) -> Path:
    """Put files into a folder, under other names."""
    folder.mkdir()
    for number, path in enumerate(files):
        shutil.copy(path, folder / f"{number}.png")
    return folder


def rows(images) -> set[bytes]:
    return {image.tobytes() for image in images}


def inverted(model: bytes, *_) -> bytes:
    """Return a graph that names what is least likely."""
    graph = onnx.load_from_string(model)
    [weights] = [one for one in graph.graph.initializer if one.name == "weights"]
    weights.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(weights), "weights"))
    return graph.SerializeToString()


class TestRoles:
    def test_no_picture_shows_chooses_and_proves(self) -> None:
        for count in (3, 60, 61, 5000):
            usable = np.arange(count) * 2
            showing, choosing, proving = divided(usable, np.zeros(count, dtype=bool), seed=0)

            assert sorted([*showing, *choosing, *proving]) == usable.tolist()
            assert len(showing) == min(256, count // 3)
            assert 0 <= len(choosing) - len(proving) <= 1

    def test_what_was_learned_shows_first_and_never_measures(self) -> None:
        usable = np.arange(900)
        for learned in (10, 300, 900):
            showing, choosing, proving = divided(usable, usable < learned, seed=0)

            assert not (np.concatenate([choosing, proving]) < learned).any()
            assert (showing < learned).sum() == min(256, learned)

    def test_the_search_sees_what_the_model_sees_and_the_truth_is_the_originals(
        self, bundle, colors, tmp_path
    ) -> None:
        roles = setup(bundle, colors, tmp_path).roles

        named = Predictor.open(bundle).run(roles.chosen_on).probabilities.argmax(axis=1)
        assert np.array_equal(roles.pictures.truth, named)
        assert roles.pictures.labelled is False
        assert (roles.calibrating, roles.learning) == (None, None)
        assert not rows(roles.shown(999)) & rows(roles.chosen_on)

    def test_names_labels_and_copies_change_no_role(self, bundle, colors, tmp_path) -> None:
        other = copied(sorted(colors.rglob("*.png"), reverse=True), tmp_path / "other")
        shutil.copy(other / "0.png", other / "copy.png")

        first = setup(bundle, colors, tmp_path / "first")
        second = setup(bundle, other, tmp_path / "second")

        assert np.array_equal(first.roles.chosen_on, second.roles.chosen_on)
        assert any("1 file had that of another" in said for said in second.warnings)

    def test_pictures_that_the_run_learned_from_measure_nothing(self, make_bundle, colors, tmp_path) -> None:
        bundle = make_bundle(tmp_path / "colors.foveal")
        files = sorted(colors.rglob("*.png"))[:100]
        saved = {"schema": splits.SCHEMA, "fingerprint": archive.read(bundle).manifest.data.fingerprint}
        fit = [[path.name, content_hash(path.read_bytes())] for path in files]
        (tmp_path / "split.json").write_text(json.dumps({**saved, "fit": fit, "calib": [], "test": []}))

        found = setup(bundle, colors, tmp_path / "out")

        preprocess = archive.read(bundle).manifest.preprocess
        learned = rows(preprocess.from_bytes(path.read_bytes()) for path in files)
        assert rows(found.roles.shown(999)) == learned
        assert len(found.roles.chosen_on) == 40
        assert not rows(found.roles.chosen_on) & learned
        assert any("learned from 100 pictures" in said for said in found.warnings)

    def test_no_picture_chooses_what_one_that_belongs_to_it_proves(
        self, make_bundle, colors, tmp_path
    ) -> None:
        """Every picture has a twin; two of them are known to be learned, and so are theirs."""
        bundle = make_bundle(tmp_path / "colors.foveal")
        files = sorted(colors.rglob("*.png"))
        rows = [f"{path.relative_to(colors)},{number // 2}" for number, path in enumerate(files)]
        grouped = Path(shutil.copytree(colors, tmp_path / "grouped"))
        (grouped / "groups.csv").write_text("\n".join(["picture,group", *rows]))
        fit = [[path.name, content_hash(path.read_bytes())] for path in (files[0], files[3])]
        fingerprint = archive.read(bundle).manifest.data.fingerprint
        split = {"schema": splits.SCHEMA, "fingerprint": fingerprint, "fit": fit, "calib": [], "test": []}
        (tmp_path / "split.json").write_text(json.dumps(split))
        preprocess = archive.read(bundle).manifest.preprocess
        unit = {preprocess.from_bytes(p.read_bytes()).tobytes(): n // 2 for n, p in enumerate(files)}

        found = setup(bundle, grouped, tmp_path / "out")

        images, proving = found.prove.args
        shown, chosen, proven = (
            [unit[image.tobytes()] for image in part]
            for part in (found.roles.shown(999), found.roles.chosen_on, images[proving])
        )
        assert sorted([*shown, *chosen, *proven]) == list(range(90)), "one of each unit, in one part"
        assert {0, 1} <= set(shown)
        assert any("one counts: 90 others" in said for said in found.warnings)

    def test_the_seed_reaches_the_search(self, bundle, colors, tmp_path) -> None:
        found = OfBundle.find(bundle, [colors], seed=5, progress=silent)

        assert found.setup(tmp_path / "out", train=False, seed=5, progress=silent).roles.seed == 5


class TestDocument:
    def test_it_speaks_of_agreement(self, searched) -> None:
        document = searched[1]

        assert document["ok"] is True
        assert (document["measure"], document["labels"]) == ("agreement", False)
        assert [row["name"] for row in document["variants"]] == ["original", "original-int8"]
        assert document["variants"][0]["drop"]["value"] == 0
        for row in document["variants"]:
            n = document["chosen_on"]["images"]
            changed = round(row["drop"]["value"] * n)
            assert row["drop"] == clopper_pearson(changed, n).as_json()
            assert row["accuracy"] == clopper_pearson(n - changed, n).as_json()

    def test_the_proof_is_on_pictures_that_chose_nothing(self, searched) -> None:
        test = searched[1]["test"]

        assert (test["images"], searched[1]["chosen_on"]["images"]) == (60, 60)
        assert test["original_accuracy"] is None
        assert test["agreement"] == pytest.approx(1 - test["drop"]["value"])
        assert test["drop"]["n"] == test["images"]

    def test_the_page_and_the_warnings_say_what_was_measured(self, searched) -> None:
        out, document = searched
        page = (out / "report.html").read_text(encoding="utf-8")

        assert "On pictures that chose nothing" in page
        assert "The pictures have no labels" in page
        assert "ccuracy lost" not in page
        assert any("nothing was trained" in said for said in document["warnings"])
        assert any("learned from is not known" in said for said in document["warnings"])

    def test_what_a_bundle_leaves_to_be_done_is_said(self, searched) -> None:
        found = {one["name"]: one for one in searched[1]["levers"]}

        assert [name for name, one in found.items() if one["tried"]] == ["rounding"]
        assert "foveal optimize RUN" in found["training"]["instead"]
        assert "onnxruntime fp32 with 1 thread is the only way" in found["engine"]["says"]
        assert searched[1]["original"]["precision"] == "fp32"

    def test_no_promise_is_inherited_and_that_is_said(self, searched) -> None:
        out, document = searched
        sealed = archive.read(out / "variants" / "original-int8" / "int8.foveal").manifest

        assert sealed.decision.abstain.threshold is None
        assert sealed.decision.conformal.quantile is None
        new = document["recommended"] != "original"
        assert any("sets hold all classes" in said for said in document["warnings"]) is new


class TestAgain:
    def test_a_finished_search_is_not_done_again(self, searched, again, bundle, colors) -> None:
        written = {path: path.stat().st_mtime_ns for path in (again / "variants").rglob("*.json")}

        document = optimize(bundle, colors, terms=terms(), out=again)

        assert {path: path.stat().st_mtime_ns for path in written} == written
        kept = {key: value for key, value in document.items() if key not in CHANGING}
        assert kept == {key: value for key, value in searched[1].items() if key not in CHANGING}

    def test_no_train_is_what_is_done_anyway(self, again, bundle, colors) -> None:
        asked = Terms(terms().budget, train=False, threads=1, engines=(ways.REFERENCE,))

        assert optimize(bundle, colors, terms=asked, out=again)["ok"] is True

    def test_other_pictures_need_another_folder(self, again, bundle, colors, tmp_path) -> None:
        other = copied(sorted(colors.rglob("*.png"))[:150], tmp_path / "other")

        with pytest.raises(UsageError, match="other pictures") as refused:
            optimize(bundle, other, terms=terms(), out=again)
        assert refused.value.code == "other_search"

    def test_the_same_line_goes_on_where_it_was_stopped(self, again, bundle, colors, stopped_at) -> None:
        with pytest.raises(KeyboardInterrupt):
            optimize(bundle, colors, terms=terms(), out=again, progress=stopped_at("reading pictures"))

        assert optimize(bundle, colors, terms=terms(), out=again)["ok"] is True
        assert not (again / "store").exists()

    def test_what_the_proof_refutes_is_not_delivered(self, again, bundle, colors, monkeypatch) -> None:
        refuted = {"images": 60, "role": "", "accuracy": clopper_pearson(6, 60).as_json()}
        refuted |= {"original_accuracy": None, "drop": clopper_pearson(54, 60).as_json()}
        refuted |= {"agreement": 0.1, "report": None}
        monkeypatch.setattr(_optimize_pictures, "_proven", lambda *_: refuted)
        (again / "test.json").unlink()

        document = optimize(bundle, colors, terms=terms(), out=again)

        assert (document["ok"], document["bundle"]) == (False, None)
        assert "90.0 % of the answers changed (" in document["verdict"]
        assert not list(again.glob("*.foveal"))

    def test_what_the_proof_leaves_open_is_said_in_the_verdict(
        self, again, bundle, colors, monkeypatch
    ) -> None:
        few = {"images": 40, "role": "", "accuracy": clopper_pearson(39, 40).as_json()}
        few |= {"original_accuracy": None, "drop": clopper_pearson(1, 40).as_json()}
        few |= {"agreement": 0.975, "report": None}
        monkeypatch.setattr(_optimize_pictures, "_proven", lambda *_: few)
        monkeypatch.setattr("foveal.optimize.decision._recommended", lambda *_: 1)
        (again / "test.json").unlink()

        document = optimize(bundle, colors, terms=terms(), out=again)

        assert (document["ok"], document["unproven"]) == (True, ["drop"])
        assert "2.5 % of the answers changed (0.1 to 13.2, n=40); allowed: 10 %" in document["verdict"]
        assert "the limit on drop is kept by the estimate" in document["verdict"]


def test_what_changes_too_many_answers_is_outside_and_bytes_get_four_bits(
    bundle, colors, tmp_path, monkeypatch
) -> None:
    def rounded(model, shown, name, *, progress):
        way = ROUNDINGS[name]
        made = inverted(model) if name == "int8" else way.make(model, shown, progress)
        return Lowering(made, way.precision, (way.step,))

    monkeypatch.setattr(search, "rounded", rounded)

    document = optimize(bundle, colors, terms=terms(aim="size"), out=tmp_path / "search")

    found = {row["name"]: row for row in document["variants"]}
    assert found.keys() == {"original", "original-int8", "original-mixed", "original-w4a8"}
    assert found["original-int8"]["drop"]["value"] == 1
    assert found["original-int8"]["outside"] == ["drop"]
    assert "100.0 % of the answers changed" in found["original-int8"]["verdict"]
    assert document["recommended"] != "original-int8"
    sealed = archive.read(tmp_path / "search/variants/original-w4a8/w4a8.foveal")
    assert sealed.manifest.model.steps == ("quantize_w4a8",)


@pytest.fixture(scope="module")
def twice(searched, colors, tmp_path_factory):
    """Return the folder and the document of a search on what an earlier search rounded."""
    source = searched[0] / "variants" / "original-int8" / "int8.foveal"
    out = tmp_path_factory.mktemp("twice") / "search"
    return out, optimize(source, colors, terms=terms(drop=0.01), out=out), archive.read(source).manifest


class TestRounded:
    """The bundle is in int8 already: engines and threads are left."""

    def test_it_is_not_rounded_again_and_document_and_page_say_what_to_type(self, twice) -> None:
        out, document, manifest = twice
        found = {one["name"]: one for one in document["levers"]}
        page = (out / "report.html").read_text(encoding="utf-8")

        assert [row["name"] for row in document["variants"]] == ["original"]
        assert document["original"]["origin"] == manifest.model.origin
        assert found["rounding"]["tried"] is False
        assert manifest.model.origin[:12] in found["rounding"]["instead"]
        assert "its weights are in int8 already, so they were not rounded again" in document["verdict"]
        for one in found.values():
            assert f"{one['says']}. Instead: {one['instead']}." in html.unescape(page)

    def test_the_original_needs_no_proof_that_it_answers_like_itself(self, twice) -> None:
        document = twice[1]

        assert document["test"]["drop"]["high"] > document["limits"]["drop"]
        assert document["unproven"] == []


class TestNo:
    def test_too_few_pictures_are_refused_with_their_number(self, bundle, colors, tmp_path) -> None:
        few = copied(sorted(colors.rglob("*.png"))[:57], tmp_path / "few")

        with pytest.raises(DataError, match="57 different pictures") as refused:
            optimize(bundle, few, terms=terms(), out=tmp_path / "search")
        assert refused.value.code == "too_few_pictures"

    def test_a_bundle_without_pictures_is_refused(self, bundle, tmp_path) -> None:
        with pytest.raises(UsageError) as refused:
            optimize(bundle, terms=terms(), out=tmp_path / "search")
        assert refused.value.code == "no_pictures"
        assert not (tmp_path / "search").exists()

    def test_a_folder_that_holds_no_bundle_is_not_found(self, colors, tmp_path) -> None:
        with pytest.raises(NotFoundError):
            optimize(colors, colors, terms=terms(), out=tmp_path / "search")

    def test_a_run_has_one_set_of_data(self, colors, tmp_path) -> None:
        (tmp_path / "recipe.toml").write_text("")

        with pytest.raises(UsageError, match="one set of data"):
            optimize(tmp_path, [colors, colors], terms=terms(), out=tmp_path / "search")

    def test_nothing_is_written_into_the_pictures_or_over_the_bundle(
        self, make_bundle, colors, tmp_path
    ) -> None:
        (tmp_path / "old").mkdir()
        original = make_bundle(tmp_path / "old" / "a.foveal")
        shutil.copytree(colors, tmp_path / "photos")

        for out in (tmp_path / "photos" / "search", tmp_path / "old"):
            with pytest.raises(OSError, match="only read"):
                optimize(original, tmp_path / "photos", terms=terms(), out=out, force=True)


class TestFresh:
    """What was begun and has finished no step stands in nobody's way."""

    def test_an_engine_that_is_not_there_is_refused_before_anything_is_read_or_written(
        self, bundle, colors, tmp_path
    ) -> None:
        with pytest.raises(UsageError, match="foo"):
            optimize(bundle, colors, terms=replace(terms(), engines=("foo",)), out=tmp_path / "search")
        assert not (tmp_path / "search").exists()

    def test_a_folder_whose_pictures_were_too_few_takes_another_line(self, bundle, colors, tmp_path) -> None:
        few = copied(sorted(colors.rglob("*.png"))[:20], tmp_path / "few")
        out = tmp_path / "search"
        with pytest.raises(DataError) as refused:
            optimize(bundle, few, terms=terms(), out=out)
        assert refused.value.code == "too_few_pictures"

        mine = out / "mine.foveal"
        shutil.copy(bundle, mine)

        assert optimize(bundle, colors, terms=terms(), out=out)["ok"] is True
        assert mine.read_bytes() == bundle.read_bytes(), "no search that has finished nothing has made it"

    def test_what_another_kind_of_work_has_begun_is_refused(self, bundle, colors, tmp_path) -> None:
        out = tmp_path / "build"
        out.mkdir()
        (out / "request.json").write_text('{"data": "parts"}')

        with pytest.raises(UsageError) as refused:
            optimize(bundle, colors, terms=terms(), out=out)
        assert refused.value.code == "other_search"
        assert (out / "request.json").read_text() == '{"data": "parts"}'

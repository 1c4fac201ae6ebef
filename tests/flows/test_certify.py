"""flows.certify: the file that ships, new pictures, the same bytes twice, and nothing left by a refusal."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from foveal.bundle import archive
from foveal.bundle.predictor import Predictor
from foveal.bundle.ways import REFERENCE
from foveal.certify.attached import attached
from foveal.certify.certificate import identity
from foveal.cli._main import run as command
from foveal.cli.certify import _show
from foveal.core import extras, files
from foveal.core.errors import (
    DataError,
    FovealError,
    ImageError,
    NotFoundError,
    RecipeError,
    UsageError,
    WriteError,
)
from foveal.core.progress import silent
from foveal.data import opening
from foveal.evaluate.held_out import HeldOut
from foveal.flows import certify
from foveal.flows._certified_pictures import Wishes, answered, not_there, overlap_of, pictures
from foveal.flows._sealed import Sealed
from foveal.flows._slices import read_slices
from foveal.flows._twin import twin_of
from foveal.flows.evaluate import evaluate

from .conftest import write_pictures

PROFILE = """
radii = []
l2_radii = []
[limits]
accuracy = {accuracy}
shared_pictures = 0.0
"""


@pytest.fixture(scope="module")
def terms(tmp_path_factory):
    path = tmp_path_factory.mktemp("profile") / "quiet.toml"
    path.write_text(PROFILE.format(accuracy=0.2), encoding="utf-8")
    return certify.Terms(level="smoke", profile=path, attach=False, threads=1)


@pytest.fixture(scope="module")
def certified(trained, colors, terms, tmp_path_factory):
    """A certificate of a copy of the trained bundle, attached to it; for reading only."""
    run = tmp_path_factory.mktemp("certified")
    bundle = run / trained.bundle.name
    shutil.copy(trained.bundle, bundle)
    shutil.copy(trained.run / "split.json", run / "split.json")
    return bundle, certify.run(bundle, colors, replace(terms, attach=True), out=run / "out")


def test_the_document_names_the_file_the_pictures_and_all_that_was_measured(certified):
    bundle, found = certified
    document, manifest = found.document, archive.read(bundle).manifest

    assert (document["digest"], document["weights_sha256"]) == (manifest.digest, manifest.weights_sha256)
    assert set(document["data"]["roles"]) == {"tuning", "proving", "test"}
    assert len({one["sha256"] for one in document["data"]["roles"].values()}) == 3
    assert document["verdict"] in ("pass", "insufficient")
    told = [key for section in document["sections"] for key in section["gates"]]
    assert sorted(told) == sorted(gate["id"] for gate in document["gates"])


def test_every_number_has_interval_n_method_and_seed(certified):
    for gate in certified[1].document["gates"]:
        if gate["value"] is None:
            assert gate["note"], gate["id"]
        else:
            low, value, high = (gate["value"][key] for key in ("low", "value", "high"))
            assert low <= value <= high
            assert gate["value"]["n"] >= 1
            assert gate["value"]["method"]
        assert isinstance(gate["seed"], int)


def test_answers_keep_what_the_file_finds_unknown_beside_the_pictures_that_can_be_read(trained):
    predictor = Predictor.open(trained.bundle, engine=REFERENCE, threads=1)
    images = np.random.default_rng(0).integers(0, 256, (70, 16, 16, 3), dtype=np.uint8)

    def read(place: int) -> np.ndarray:
        if place in (0, 40):
            raise ImageError("cut off", code="truncated")
        return images[place]

    held_out = HeldOut(np.zeros(70, np.int64), [f"{k}.png" for k in range(70)], read)
    found = answered(predictor, held_out, threads=2, progress=silent)

    assert (len(found), found.unreadable) == (68, 2)
    for place in (0, 1, 38, 39, 67):
        alone = predictor.run(read(int(found.held_out.sources[place].removesuffix(".png")))[None])
        assert np.isclose(found.unknown[place], alone.unknown[0], atol=1e-3)


def test_the_same_call_gives_the_same_bytes_but_for_the_time(certified, colors, terms):
    bundle, found = certified
    again = certify.run(bundle, colors, terms, out=found.folder.parent / "again")

    def text(folder: Path) -> str:
        document = json.loads((folder / certify.CERTIFICATE).read_text(encoding="utf-8"))
        assert document["id"] == identity(document)
        return json.dumps({key: value for key, value in document.items() if key != "created"}, indent=1)

    assert text(found.folder) == text(again.folder)
    assert found.document["id"] == again.document["id"]


def test_a_page_is_written_beside_the_certificate(certified):
    _, found = certified
    page = Path(found.document["page"]).read_text(encoding="utf-8")

    assert found.document["id"] in page
    assert found.document["digest"] in page


def test_without_what_draws_it_there_is_no_page_and_no_old_one_stays(certified, monkeypatch):
    _, found = certified
    folder = found.folder.parent / "no-page"
    folder.mkdir()
    (folder / certify.PAGE).write_text("of an earlier certificate", encoding="utf-8")
    monkeypatch.setattr(extras, "missing", lambda extra: ["jinja2"])
    document = {key: found.document[key] for key in found.document if key not in ("page", "certificate")}

    told = certify._written(folder, document, found.certificate, attach=False, bundle=certified[0])

    assert told.document["page"] is None
    assert not (folder / certify.PAGE).exists()


def test_the_bundle_shows_its_certificate_and_keeps_its_digest(certified, trained, capsys):
    bundle, found = certified
    assert archive.read(bundle).manifest.digest == archive.read(trained.bundle).manifest.digest

    assert command(["info", str(bundle), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["certificate"]
    assert shown["id"] == found.document["id"]
    assert shown["verdict"] == found.document["verdict"]
    assert sum(shown["gates"].values()) == 2
    assert command(["info", str(bundle)]) == 0
    told, n = capsys.readouterr().out, found.document["data"]["roles"]["test"]["images"]
    assert f"(n={n}, profile quiet, level smoke" in told
    assert f"id {found.document['id'][:12]}" in told
    assert command(["info", str(trained.bundle), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["certificate"] is None


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"verdict": "pass!"}, "tampered", "not have the hash"),
        ({"gates": [{"limit": 1}]}, "tampered", "not have the hash"),
        ({"schema": "foveal.certify/9"}, "unknown_schema", "not foveal.certify/1"),
    ],
)
def test_a_certificate_that_was_changed_is_not_shown(certified, change, code, message):
    document = archive.read(certified[0]).certificate
    assert attached(document)["id"] == document["id"]

    with pytest.raises(FovealError, match=message) as caught:
        attached({**document, **change})
    assert caught.value.code == code


def test_a_bundle_that_cannot_be_written_is_told_and_the_certificate_is_there(
    certified, tmp_path, monkeypatch
):
    bundle, found = certified

    def refuse(path, document):
        raise WriteError("cannot write: read-only", path=path)

    monkeypatch.setattr(archive, "attach_certificate", refuse)
    document = {key: found.document[key] for key in found.document if key not in ("page", "certificate")}

    told = certify._written(tmp_path, document, found.certificate, attach=True, bundle=bundle)

    assert told.not_attached == "cannot write: read-only"
    assert files.is_there(tmp_path / certify.CERTIFICATE)


@pytest.mark.parametrize("moment", [0, 1, 2])
def test_stopped_while_it_writes_each_file_is_whole_and_a_page_is_that_of_its_certificate(
    certified, tmp_path, monkeypatch, moment
):
    """Ctrl-C just before certificate, page or bundle would appear, in place of an earlier certificate."""
    _, found = certified
    bundle, folder = tmp_path / "colors.foveal", tmp_path / "out"
    shutil.copy(certified[0], bundle)
    folder.mkdir()
    document = json.loads((found.folder / certify.CERTIFICATE).read_text(encoding="utf-8"))
    earlier = {**document, "seed": 7}
    earlier["id"] = identity(earlier)
    files.write_json(folder / certify.CERTIFICATE, earlier)
    (folder / certify.PAGE).write_text(f"the page of {earlier['id']}", encoding="utf-8")
    before, replace_with, appeared = bundle.read_bytes(), Path.replace, []

    def stop(self: Path, target: Path) -> Path:
        if len(appeared) == moment:
            raise KeyboardInterrupt
        appeared.append(target.name)
        return replace_with(self, target)

    monkeypatch.setattr(Path, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        certify._written(folder, document, found.certificate, attach=True, bundle=bundle)

    assert appeared == [certify.CERTIFICATE, certify.PAGE][:moment]
    assert bundle.read_bytes() == before
    assert {path.name for path in folder.iterdir()} <= {certify.CERTIFICATE, certify.PAGE}
    told = json.loads((folder / certify.CERTIFICATE).read_text(encoding="utf-8"))
    assert told["id"] == identity(told)
    if files.is_there(folder / certify.PAGE):
        assert told["id"] in (folder / certify.PAGE).read_text(encoding="utf-8")


def test_a_missed_limit_ends_with_a_code_of_its_own_and_says_whose_network_was_not_there(
    certified, colors, tmp_path, capsys
):
    profile = tmp_path / "strict.toml"
    profile.write_text("radii = []\nl2_radii = []\n[limits]\nworst_corruption = 1.0\n", encoding="utf-8")
    line = ["certify", str(certified[0]), str(colors), "--level", "smoke", "--profile", str(profile)]

    assert command([*line, "--no-attach", "--out", str(tmp_path / "out"), "--quiet"]) == 10

    [why] = [row for row in capsys.readouterr().out.splitlines() if row.startswith("no network")]
    assert "--twin" in why


def test_of_a_network_that_was_there_nothing_is_said(certified, capsys):
    _, found = certified
    there = {**found.document, "twin": {"used": True, "why_not": None}}

    _show(Console(width=200), replace(found, document=there))

    titles = {row.split("  ")[0] for row in capsys.readouterr().out.splitlines()}
    assert "no network" not in titles
    assert "verdict" in titles


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"profile": "none/there.toml"}, NotFoundError),
        ({"profile": "BAD"}, RecipeError),
        ({"slices": Path("none.csv")}, NotFoundError),
        ({"twin": Path("no-such-run")}, NotFoundError),
        ({"level": "slow"}, FovealError),
    ],
)
def test_what_is_refused_leaves_no_folder_behind(certified, colors, terms, tmp_path, changes, error):
    if changes.get("profile") == "BAD":
        bad = tmp_path / "bad.toml"
        bad.write_text("[limits]\nnothing_like_it = 1.0\n", encoding="utf-8")
        changes = {"profile": bad}

    with pytest.raises(error):
        certify.run(certified[0], colors, replace(terms, **changes), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_certificate_is_replaced_only_if_somebody_says_so(certified, colors, terms):
    bundle, found = certified
    before = (found.folder / certify.CERTIFICATE).read_bytes()

    with pytest.raises(WriteError) as caught:
        certify.run(bundle, colors, terms, out=found.folder)
    assert caught.value.code == "would_overwrite"
    assert (found.folder / certify.CERTIFICATE).read_bytes() == before


def test_a_planted_leak_is_found():
    content = {"a.png": "1", "b.png": "2", "c.png": "3"}

    assert overlap_of(list(content), content, frozenset({"2", "9"})).count == 1
    assert overlap_of(list(content), content, frozenset({"9"})).count == 0
    assert not overlap_of(list(content), content, None).known


def test_the_network_is_found_by_the_hash_of_its_weights_and_no_other_is_taken(trained, tmp_path):
    predictor = Predictor.open(trained.bundle, engine=REFERENCE, threads=1)
    alone = tmp_path / "alone.foveal"
    shutil.copy(trained.bundle, alone)

    assert not isinstance(twin_of(predictor, trained.bundle, None), str)
    assert not isinstance(twin_of(predictor, alone, trained.run), str)
    assert "--twin" in str(twin_of(predictor, alone, None))
    other = tmp_path / "other"
    shutil.copytree(trained.run / "model", other / "model")
    weights = other / "model" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    assert "other weights" in str(twin_of(predictor, alone, other))


def test_of_what_was_put_together_no_run_folder_is_asked_for(make_bundle, trained, tmp_path):
    path = make_bundle(
        tmp_path / "two.foveal", model={"name": "ensemble", "parameters": 440, "source": "scratch"}
    )
    predictor = Predictor.open(path, engine=REFERENCE, threads=1)

    for run in (None, trained.run):
        why = twin_of(predictor, path, run)
        assert "put together by foveal export" in str(why)
        assert "--twin" not in str(why)


def test_a_split_of_class_folders_alone_is_all_of_them_as_in_evaluate(trained, tmp_path):
    data = write_pictures(tmp_path / "new", per_class=4, seed=5)
    predictor = Predictor.open(trained.bundle, engine=REFERENCE, threads=1)
    sealed = Sealed.at(trained.bundle, predictor.manifest)

    def found(place: Path, split: str) -> tuple[str, int]:
        wishes = Wishes(split, at_most=500, seed=0, threads=1, learned=100)
        test = pictures(predictor, sealed, opening.open(place), wishes, progress=silent).test
        return test.held_out.split, len(test)

    report = evaluate(trained.bundle, data, split="val").report.as_json()
    assert found(data, "val") == ("val", 12)
    assert (report["split"], report["metrics"]["accuracy"]["n"]) == ("val", 12)
    shutil.copytree(data, tmp_path / "parts" / "test")
    assert found(tmp_path / "parts", "test") == ("test", 12)
    with pytest.raises(UsageError, match="no split 'val'; it has: test"):
        found(tmp_path / "parts", "val")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("picture\na.png\n", "at least one other"),
        ("picture,light,light\na.png,dim,dim\n", "each once"),
        ("picture,light\na.png,dim\na.png,dim\n", "again"),
        ("picture,light\na.png\n", "has 1 cells"),
        ("picture,light\nz.png,dim\n", "names none of the pictures"),
        ("picture,light\n" + "".join(f"p{k}.png,{k}\n" for k in range(51)) + "a.png,x\n", "more than 50"),
        ("", "first line"),
    ],
)
def test_a_table_that_tells_nothing_apart_is_refused(tmp_path, text, said):
    path = tmp_path / "slices.csv"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(DataError, match=said) as caught:
        read_slices(path, ["a.png", "b.png"])
    assert caught.value.code == "bad_slices"


def test_an_empty_cell_belongs_to_no_slice(tmp_path):
    path = tmp_path / "slices.csv"
    path.write_bytes("\ufeffpicture,light\r\na.png, dim \r\nb.png,\r\n".encode())

    assert read_slices(path, ["a.png", "b.png"]) == {"light": {"a.png": "dim", "b.png": ""}}


def test_pictures_of_a_table_that_are_not_there_are_found(tmp_path):
    path = tmp_path / "slices.csv"
    path.write_text("picture,light\na.png,dim\nz.png,dim\ny.png,\n", encoding="utf-8")

    assert not_there(["a.png", "b.png"], read_slices(path, ["a.png", "b.png"])) == ("y.png", "z.png")


@pytest.mark.parametrize("beside", [True, False], ids=["in its run", "elsewhere, its run named"])
def test_a_picture_that_was_learned_from_is_refused_in_other_data(
    trained, certified, colors, terms, tmp_path, beside
):
    """A leak that the run's split.json tells of, be it beside the file or in the run that is its twin."""
    learned, alone = tmp_path / "pictures", tmp_path / "moved.foveal"
    shutil.copytree(colors, learned)
    shutil.copy(trained.bundle, alone)
    for name in ("red", "blue"):  # another fingerprint: these are other data now
        Image.fromarray(np.full((40, 40, 3), 90, np.uint8)).save(learned / name / "new.png")
    bundle = certified[0] if beside else alone
    asked = terms if beside else replace(terms, twin=trained.run)

    with pytest.raises(DataError):
        certify.run(bundle, learned, asked, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()

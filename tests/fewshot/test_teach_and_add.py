"""The commands as a user has them: on real files, on the file that ships."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveal.bundle import archive
from foveal.bundle.engines.onnxruntime import onnxruntime
from foveal.bundle.predictor import Predictor
from foveal.cli._main import run
from foveal.core.errors import BundleError, DataError, NotFoundError, UsageError, WriteError
from foveal.data.pictures import FilePicture
from foveal.fewshot.deciding import learned
from foveal.fewshot.sealing import opened
from foveal.fewshot.views import views
from foveal.flows.evaluate import evaluate
from foveal.flows.fewshot_add import Target, add, remove
from foveal.flows.fewshot_teach import Wanted, teach
from live import started

Paint = Callable[..., list[Path]]


@pytest.fixture
def made(few: Path, bundle: Path, tmp_path: Path) -> Path:
    """A bundle that was taught four colours."""
    return Path(teach(str(bundle), few, out=tmp_path / "t.foveal")["bundle"])


@pytest.mark.parametrize("head", ["prototype", "ridge", "cosine"])
def test_the_graph_answers_as_the_numpy_head_on_the_embedders_features(
    few: Path, bundle: Path, tmp_path: Path, head: str
) -> None:
    path = tmp_path / "t.foveal"
    teach(str(bundle), few, wanted=Wanted(head=head), out=path)
    members, known = archive.read(path), opened(path)
    rng = np.random.default_rng(3)
    images = rng.integers(0, 256, (9, 16, 16, 3), dtype=np.uint8)
    lesson = learned(known.taught, head=head)
    rows = known.embedder.features(images).astype(np.float64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    logits, unknown = lesson.fitted.answers(rows)
    said = onnxruntime(members.model, threads=1).run(images)
    scale = np.abs(logits).max()
    np.testing.assert_allclose(said.logits, logits, atol=1e-5 * scale, rtol=1e-4)
    np.testing.assert_allclose(said.unknown, unknown, atol=1e-5)
    powers = np.exp((logits - logits.max(axis=1, keepdims=True)) / lesson.temperature)
    np.testing.assert_allclose(said.probabilities, powers / powers.sum(axis=1, keepdims=True), atol=1e-4)


def test_a_class_that_is_added_equals_one_that_was_taught_from_the_start(
    few: Path, bundle: Path, made: Path, paint: Paint, tmp_path: Path
) -> None:
    more = paint(tmp_path / "violet", "violet", 5)
    add(made, "violet", more, target=Target(tmp_path / "more.foveal"))
    shutil.copytree(tmp_path / "violet", few / "violet")
    head = opened(made).head
    teach(str(bundle), few, wanted=Wanted(head=head), out=tmp_path / "whole.foveal")
    added, whole = (archive.read(tmp_path / f"{name}.foveal") for name in ("more", "whole"))
    assert added.manifest.classes == whole.manifest.classes == ("blue", "green", "red", "violet", "yellow")
    assert added.manifest.decision == whole.manifest.decision
    assert added.manifest.temperature == whole.manifest.temperature
    assert added.taught == whole.taught
    images = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), dtype=np.uint8)
    answers = [onnxruntime(one.model, threads=1).run(images) for one in (added, whole)]
    np.testing.assert_array_equal(answers[0].probabilities, answers[1].probabilities)


def test_pictures_that_are_added_to_a_class_equal_pictures_that_were_there(
    few: Path, bundle: Path, made: Path, tmp_path: Path
) -> None:
    apart = tmp_path / "apart.png"
    (few / "red" / "005.png").rename(apart)
    teach(str(bundle), few, wanted=Wanted(head=opened(made).head), out=tmp_path / "less.foveal")
    document = add(tmp_path / "less.foveal", "red", [apart], target=Target(force=True))
    assert document["classes"] == {"blue": 6, "green": 6, "red": 6, "yellow": 6}
    assert archive.read(tmp_path / "less.foveal").taught == archive.read(made).taught


def test_a_class_that_is_removed_was_never_there(made: Path, paint: Paint, tmp_path: Path) -> None:
    add(made, "violet", paint(tmp_path / "v", "violet", 4), target=Target(tmp_path / "m.foveal"))
    remove(tmp_path / "m.foveal", "violet", target=Target(force=True))
    before, after = archive.read(made), archive.read(tmp_path / "m.foveal")
    assert (before.taught, before.manifest.decision) == (after.taught, after.manifest.decision)


def test_names_of_classes_change_nothing_but_names(few: Path, bundle: Path, tmp_path: Path) -> None:
    teach(str(bundle), few, wanted=Wanted(head="cosine"), out=tmp_path / "a.foveal")
    renamed = {"blue": "z", "green": "b", "red": "k", "yellow": "a"}
    for old, new in renamed.items():
        (few / old).rename(few / new)
    teach(str(bundle), few, wanted=Wanted(head="cosine"), out=tmp_path / "b.foveal")
    images = np.random.default_rng(1).integers(0, 256, (6, 16, 16, 3), dtype=np.uint8)
    first, second = (Predictor.open(tmp_path / f"{name}.foveal") for name in "ab")
    for one, other in zip(first.predict(list(images)), second.predict(list(images)), strict=True):
        assert other.label == renamed[one.label]
        for name, score in one.scores.items():
            assert other.scores[renamed[name]] == pytest.approx(score, abs=1e-5)


def test_every_command_takes_a_taught_and_an_extended_bundle(
    made: Path, paint: Paint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = paint(tmp_path / "v", "violet", 4)
    assert (
        run(["fewshot", "add", str(made), "violet", *map(str, new), "--out", str(tmp_path / "m.foveal")]) == 0
    )
    asked = tmp_path / "asked"
    for name in ("red", "blue", "violet"):
        paint(asked / name, name, 5, seed=9)
    capsys.readouterr()
    for path in (made, tmp_path / "m.foveal"):
        assert run(["info", str(path), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["model"]["name"].startswith("fewshot_")
        assert run(["predict", str(path), str(asked / "red"), "--json"]) == 0
        assert {one["label"] for one in json.loads(capsys.readouterr().out)["predictions"]} == {"red"}
    assert run(["evaluate", str(tmp_path / "m.foveal"), str(asked), "--json", "-q"]) == 0
    assert json.loads(capsys.readouterr().out)["metrics"]["accuracy"]["value"] == 1.0


def test_a_taught_bundle_is_served(made: Path, tmp_path: Path, paint: Paint) -> None:
    picture = paint(tmp_path / "s", "red", 1)[0].read_bytes()
    with started("-m", "foveal", "serve", str(made), "--port", "0") as server:
        reply = server.ask("/v1/predict", picture, **{"Content-Type": "image/png"})
    assert reply.json["predictions"][0]["label"] == "red"


def test_a_run_holds_the_bundle_numbers_and_a_page(
    few: Path, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    document = teach(str(bundle), few)
    folder = Path(document["run"])
    assert folder == Path("runs/fewshot-1")
    assert json.loads((folder / "metrics.json").read_text()) == document
    page = (folder / "report.html").read_text()
    assert page.count("data:image/") >= 24
    assert "What would be called unknown" in page
    with pytest.raises(WriteError, match="holds a run"):
        teach(str(bundle), few, out=folder)
    again = teach(str(bundle), few, out=folder, force=True)
    assert again["digest"] == document["digest"]


def test_what_cannot_be_is_refused_before_any_picture_is_looked_at(
    few: Path, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("it went to work")

    monkeypatch.setattr("foveal.flows.fewshot_teach.kept_embedder", never)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(WriteError, match="holds no run"):
        teach(str(bundle), few, out=tmp_path / "full", force=True)
    with pytest.raises(WriteError, match="is a file"):
        teach(str(bundle), few, out=tmp_path / "file")
    with pytest.raises(UsageError, match="has no 'protoype'; did you mean 'prototype'"):
        teach(str(bundle), few, wanted=Wanted(head="protoype"), out=tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_taught_pictures_do_not_measure_it(few: Path, bundle: Path, made: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError):
        evaluate(made, few)
    run_folder = Path(teach(str(bundle), few, out=tmp_path / "run")["run"])
    with pytest.raises(DataError):
        evaluate(run_folder, few)
    shutil.copytree(few, tmp_path / "copy" / "test")
    with pytest.raises(DataError, match="learn"):
        evaluate(run_folder, tmp_path / "copy")


def test_too_few_pictures_promise_nothing_and_say_what_it_takes(
    paint: Paint, bundle: Path, tmp_path: Path
) -> None:
    for name in ("red", "blue"):
        paint(tmp_path / "few" / name, name, 2)
    document = teach(str(bundle), tmp_path / "few", out=tmp_path / "t.foveal")
    assert (document["unknown"]["threshold"], document["conformal"]["quantile"]) == (None, None)
    assert document["unknown"]["n"] == document["conformal"]["n"] == 4
    told = " ".join(document["messages"])
    assert "takes 19" in told
    assert "takes 9" in told
    assert "299" in told
    answer = Predictor.open(tmp_path / "t.foveal").predict([np.zeros((16, 16, 3), np.uint8)])[0]
    assert (answer.unknown, answer.abstain, len(answer.set)) == (None, None, 2)


def test_one_picture_of_each_class_is_enough_to_teach_and_not_to_calibrate(
    paint: Paint, bundle: Path, tmp_path: Path
) -> None:
    for name in ("red", "blue", "green"):
        paint(tmp_path / "few" / name, name, 1)
    document = teach(str(bundle), tmp_path / "few", out=tmp_path / "t.foveal")
    assert document["held_out"] == {"n": 0, "accuracy": None, "confusion": None}
    assert document["temperature"] == 1.0
    picture = paint(tmp_path / "asked", "green", 1, seed=5)[0]
    assert Predictor.open(tmp_path / "t.foveal").predict([picture])[0].label == "green"


def test_a_test_part_is_left_alone(paint: Paint, bundle: Path, tmp_path: Path) -> None:
    for name in ("red", "blue"):
        paint(tmp_path / "d" / "train" / name, name, 4)
        paint(tmp_path / "d" / "test" / name, name, 3, seed=4)
    assert teach(str(bundle), tmp_path / "d", out=tmp_path / "t.foveal")["images"] == 8


def _one_class(few: Path) -> None:
    for name in ("blue", "green", "red"):
        shutil.rmtree(few / name)


def _unreadable(few: Path) -> None:
    (few / "red" / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")


def _in_two_classes(few: Path) -> None:
    shutil.copy(few / "red" / "000.png", few / "blue" / "x.png")


@pytest.mark.parametrize(
    ("spoil", "error", "text"),
    [
        (_one_class, UsageError, "two classes"),
        (_unreadable, DataError, r"bad\.png"),
        (_in_two_classes, DataError, "one picture in two classes"),
    ],
)
def test_what_cannot_be_taught_is_refused(
    few: Path, bundle: Path, tmp_path: Path, spoil: Callable[[Path], object], error: type, text: str
) -> None:
    spoil(few)
    with pytest.raises((UsageError, DataError), match=text) as raised:
        teach(str(bundle), few, out=tmp_path / "t.foveal")
    assert isinstance(raised.value, error)
    assert not (tmp_path / "t.foveal").exists()


def test_adding_that_fails_leaves_the_bundle_as_it_was(
    few: Path, bundle: Path, made: Path, tmp_path: Path
) -> None:
    content = made.read_bytes()
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    yes = Target(force=True)
    for refused, error in (
        (lambda: add(made, "new", [bad], target=yes), DataError),
        (lambda: add(made, "new", [few / "red/000.png", bad], target=yes), DataError),
        (lambda: add(made, "red", [few / "red/000.png"], target=yes), DataError),
        (lambda: add(made, "new", [tmp_path / "gone.png"], target=yes), NotFoundError),
        (lambda: add(made, "", [few / "red/000.png"], target=yes), UsageError),
        (lambda: add(made, "new", [few / "red/000.png"]), WriteError),
        (lambda: remove(made, "nobody", target=yes), UsageError),
        (lambda: add(bundle, "new", [few / "red/000.png"], target=Target(tmp_path / "x.foveal")), UsageError),
    ):
        with pytest.raises(error):
            refused()
        assert made.read_bytes() == content
    assert not (tmp_path / "x.foveal").exists()


def test_killed_at_any_moment_the_bundle_is_the_old_or_the_new_one(
    made: Path, paint: Paint, tmp_path: Path
) -> None:
    new = [str(path) for path in paint(tmp_path / "v", "violet", 2)]
    line = [sys.executable, "-m", "foveal", "fewshot", "add", str(made), "violet", *new, "--force", "-q"]
    for seconds in (0.3, 0.8, 1.3):
        process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(seconds)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert len(archive.read(made).manifest.classes) in (4, 5)
        if len(archive.read(made).manifest.classes) == 5:
            break


def test_what_was_taught_is_part_of_what_the_hashes_cover(made: Path, tmp_path: Path) -> None:
    content = made.read_bytes()
    labels = archive.read(made).taught["taught/labels.npy"]
    place = content.index(labels) + len(labels) - 8
    changed = tmp_path / "changed.foveal"
    changed.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    with pytest.raises(BundleError) as raised:
        archive.read(changed)
    assert raised.value.code == "tampered"


@pytest.mark.parametrize("name", archive.TAUGHT)
def test_members_that_are_no_such_arrays_are_refused_though_their_hashes_fit(
    made: Path, tmp_path: Path, name: str
) -> None:
    members = archive.read(made)
    for content in (b"no array", members.taught[name][:-8], _pickled()):
        taught = {**members.taught, name: content}
        path = tmp_path / "bad.foveal"
        archive.seal_taught(
            path, members.manifest.draft(), model=members.model, golden=members.golden, taught=taught
        )
        with pytest.raises(BundleError, match=r"array|taught"):
            opened(path)


def test_a_part_of_what_was_taught_is_refused(made: Path, tmp_path: Path) -> None:
    members = archive.read(made)
    half = {name: members.taught[name] for name in archive.TAUGHT[:2]}
    with pytest.raises(BundleError, match="part alone"):
        archive.seal_taught(
            tmp_path / "half.foveal", members.manifest.draft(),
            model=members.model, golden=members.golden, taught=half,
        )  # fmt: skip


def test_what_was_taught_does_not_decide_and_is_not_in_the_digest(made: Path, tmp_path: Path) -> None:
    members = archive.read(made)
    archive.seal(
        tmp_path / "bare.foveal", members.manifest.draft(), model=members.model, golden=members.golden
    )
    assert archive.read(tmp_path / "bare.foveal").manifest.digest == members.manifest.digest
    assert members.taught
    assert not archive.read(tmp_path / "bare.foveal").taught


def test_adding_imports_no_torch(made: Path, paint: Paint, tmp_path: Path) -> None:
    new = [str(path) for path in paint(tmp_path / "v", "violet", 2)]
    code = (
        "import sys; from foveal.cli._main import run\n"
        f"code = run(['fewshot', 'add', {str(made)!r}, 'violet', *{new!r}, '--force', '-q', '--json'])\n"
        "assert code == 0, code\n"
        "print([name for name in ('torch', 'timm', 'scipy', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_views_follow_from_seed_and_content_alone(few: Path, made: Path) -> None:
    first, second = (FilePicture((few / "red" / f"00{n}.png").read_bytes()) for n in (0, 1))
    preprocess = opened(made).embedder.preprocess
    shown = views(first, preprocess, seed=0)
    np.testing.assert_array_equal(shown, views(first, preprocess, seed=0))
    np.testing.assert_array_equal(shown[0], preprocess.from_bytes(first.content))
    assert (shown[1:] != views(first, preprocess, seed=1)[1:]).any()
    assert (shown[1] != shown[2]).any()
    assert (shown[1] != views(second, preprocess, seed=0)[1]).any()
    again = io.BytesIO()  # the same pixels stored otherwise: another draw
    Image.open(few / "red" / "000.png").save(again, "PNG", compress_level=0)
    other = views(FilePicture(again.getvalue()), preprocess, seed=0)
    np.testing.assert_array_equal(other[0], shown[0])
    assert (other[1] != shown[1]).any()


def _pickled() -> bytes:
    file = io.BytesIO()
    np.save(file, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return file.getvalue()

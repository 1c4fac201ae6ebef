"""A report whose answers were asked in worker processes is the report, whatever becomes of the workers."""

import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import foveal
from foveal.bundle.predictor import Predictor
from foveal.core.errors import DataError, TemporaryError, UnknownNameError, UsageError
from foveal.data import opening
from foveal.evaluate import worker
from foveal.flows._where import Where
from foveal.flows.evaluate import Terms, evaluate

EACH = 70
TWO = Terms(where=Where("local", 2))
MACHINE = ("seconds", "images_per_second", "threads", "cpu", "backend")
BAD = "green/03.png"

# Imported by every worker process before anything else: one that dies of pictures, as of a decoder's fault.
DEADLY = """
import os, signal
from pathlib import Path
from foveal.data import decode
from foveal.evaluate import worker

deadly = Path(os.environ["DEADLY"]).read_bytes() if "DEADLY" in os.environ else None
decoded, asked = decode.decode, worker.ask

def decode_or_die(content, channels):
    if content == deadly:
        os.kill(os.getpid(), signal.SIGKILL)
    return decoded(content, channels)

def ask_or_die(predictor, held_out, positions):
    if deadly is None and len(positions) > 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return asked(predictor, held_out, positions)

decode.decode, worker.ask = decode_or_die, ask_or_die
"""


@pytest.fixture(autouse=True)
def same_code(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(foveal.__file__).parents[1]))


@pytest.fixture
def deadly(tmp_path, monkeypatch):
    """Let worker processes, and not this one, die as `DEADLY` says."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(DEADLY)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'site'}{os.pathsep}{os.environ['PYTHONPATH']}")


def paint(folder: Path) -> Path:
    """Write pictures that are often mistaken, of many sizes, one of which cannot be read."""
    rng = np.random.default_rng(0)
    for channel, name in enumerate(("red", "green", "blue")):
        (folder / name).mkdir(parents=True)
        for number in range(EACH):
            level = rng.integers(60, 120, 3) + 12 * (np.arange(3) == channel)
            pixels = level + rng.normal(scale=25, size=(16 + number % 9, 20, 3))
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / name / f"{number:02}.png")
    (folder / BAD).write_bytes((folder / BAD).read_bytes()[:200])
    return folder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    return paint(tmp_path_factory.mktemp("pictures") / "data")


def numbers(document):
    """Return all of a document but what tells of the machine."""
    facts = {name: value for name, value in document["provenance"].items() if name not in MACHINE}
    return {**document, "provenance": facts}


@pytest.fixture(scope="module")
def alone(bundle, pictures):
    return numbers(evaluate(bundle, pictures).report.as_json())


def test_the_report_is_equal_in_every_number(bundle, pictures, alone):
    found = evaluate(bundle, pictures, terms=TWO).report

    document = found.as_json()
    assert numbers(document) == alone
    assert 0.4 < document["metrics"]["accuracy"]["value"] < 1  # something was there to get wrong
    assert document["robustness"][0] != document["robustness"][-1]
    assert [one["source"] for one in document["unreadable"]] == [BAD]
    facts = document["provenance"]
    assert (facts["backend"], facts["threads"]) == ("local", 2)
    assert facts["cpu"]
    assert (found.answers == evaluate(bundle, pictures).report.answers).all()


@pytest.mark.parametrize("layout", ["zip in a folder", "npz"])
def test_workers_find_the_pictures_of_every_layout(bundle, pictures, tmp_path, layout):
    data = tmp_path / "data"
    data.mkdir()
    if layout == "npz":
        data /= "some.npz"
        rng = np.random.default_rng(0)
        images, labels = rng.integers(0, 256, (90, 9, 9, 3), dtype=np.uint8), np.arange(90) % 3
        np.savez(data, images=images, labels=labels, class_names=np.array(["red", "green", "blue"]))
    else:
        with zipfile.ZipFile(data / "some.zip", "w") as archive:
            for path in sorted(pictures.rglob("*.png")):
                archive.write(path, path.relative_to(pictures))

    there = evaluate(bundle, data, terms=TWO).report.as_json()

    assert numbers(there) == numbers(evaluate(bundle, data).report.as_json())


def test_what_belongs_together_is_what_was_asked_for(bundle, pictures):
    grouped = opening.open(pictures, group=r"(\w+)/\d(\d)\.")

    there = evaluate(bundle, grouped, terms=TWO).report.as_json()

    assert there["provenance"]["independent_images"] == 30
    assert numbers(there) == numbers(evaluate(bundle, grouped).report.as_json())


def test_the_command_says_the_same(bundle, pictures, alone):
    command = [sys.executable, "-m", "foveal", "evaluate", str(bundle), str(pictures), "--json", "-q"]

    done = subprocess.run([*command, "--workers", "2"], check=True, capture_output=True, text=True)

    assert numbers(json.loads(done.stdout)) == alone
    done = subprocess.run([*command, "--backend", "lokal"], check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert "did you mean 'local'" in json.loads(done.stdout)["error"]["message"]


def children():
    return {int(one) for one in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}


@pytest.mark.parametrize("when", ["measuring", "disturbing"])
def test_a_worker_that_is_killed_changes_no_number(bundle, pictures, alone, when):
    killed, others = [], children()  # the server that other tests share is a child of this process too

    def kill(stage, done, total, note=""):
        if stage == when and not killed:
            killed.append(min(children() - others))
            os.kill(killed[0], signal.SIGKILL)

    document = evaluate(bundle, pictures, terms=TWO, progress=kill).report.as_json()

    assert killed
    assert numbers(document) == alone


@pytest.mark.parametrize("at", ["evaluate.answered", "evaluate.disturbed"])
def test_workers_that_die_of_every_second_task_change_no_number(bundle, pictures, alone, monkeypatch, at):
    monkeypatch.setenv("FOVEAL_FAILPOINTS", f"{at}:kill@2")

    document = evaluate(bundle, pictures, terms=Terms(where=Where("local", 1))).report.as_json()

    assert numbers(document) == alone


@pytest.mark.usefixtures("deadly")
def test_a_picture_that_workers_die_of_is_named(bundle, pictures, monkeypatch):
    monkeypatch.setenv("DEADLY", str(pictures / "blue" / "41.png"))

    with pytest.raises(DataError, match=r"workers died of the picture blue/41\.png") as caught:
        evaluate(bundle, pictures, terms=TWO)

    assert (caught.value.code, caught.value.path) == ("worker_killed", "blue/41.png")


@pytest.mark.usefixtures("deadly")
def test_workers_that_die_of_no_picture_alone_blame_none(bundle, pictures):
    with pytest.raises(TemporaryError, match="of none of them alone") as caught:
        evaluate(bundle, pictures, terms=TWO)

    assert caught.value.code == "answers_lost"


def test_workers_that_die_of_a_corruption_name_it(bundle, pictures, monkeypatch):
    monkeypatch.setenv("FOVEAL_FAILPOINTS", "evaluate.disturbed:kill@1")

    with pytest.raises(TemporaryError, match="workers died of pictures disturbed by none") as caught:
        evaluate(bundle, pictures, terms=Terms(where=Where("local", 1)))

    assert caught.value.code == "answers_lost"


def replaced(path):
    Image.new("RGB", (20, 20), "red").save(path)


def gone(path):
    path.unlink()


def one_more_before(path):
    Image.new("RGB", (20, 20), "red").save(path.with_name("00-new.png"))


def renamed(path):
    path.rename(path.with_name("20-new.png"))


@pytest.mark.parametrize("change", [replaced, gone, one_more_before, renamed])
def test_data_that_are_others_for_a_worker_are_an_error(bundle, tmp_path, change):
    folder = paint(tmp_path / "data")

    def meddle(stage, done, total, note=""):
        if stage == "reading files" and done == total:
            change(folder / "green" / "20.png")

    with pytest.raises(DataError, match="is not the same for a worker: green/") as caught:
        evaluate(bundle, folder, terms=TWO, progress=meddle)

    assert caught.value.code == "data_changed"


def wanted(bundle, data):
    """Return what the driver tells a worker to begin with."""
    predictor = Predictor.open(bundle, threads=1)
    session = predictor.session
    spec = {"bundle": str(bundle), "digest": predictor.digest, "engine": session.engine}
    return {**spec, "precision": session.precision, "data": str(data)}


def test_a_worker_with_another_bundle_or_engine_refuses(bundle, pictures, make_bundle, tmp_path):
    spec = wanted(bundle, pictures)
    other = make_bundle(tmp_path / "other.foveal", classes=["red", "green", "pink"])

    assert worker.begin(spec).predictor.digest == spec["digest"]
    for changed, code in (
        ({"bundle": str(other)}, "other_bundle"),
        ({"engine": "onnxruntime 0.1"}, "other_versions"),
    ):
        with pytest.raises(UsageError) as caught:
            worker.begin({**spec, **changed})
        assert caught.value.code == code
    with pytest.raises(UnknownNameError):
        worker.begin({**spec, "engine": "abacus 1.0"})


def test_a_file_that_a_worker_no_longer_finds_is_no_unreadable_picture(bundle, tmp_path):
    there = worker.begin(wanted(bundle, paint(tmp_path / "data")))
    (tmp_path / "data" / there.dataset.sources[5]).unlink()
    named = [5, there.dataset.sources[5], 2]

    with pytest.raises(DataError) as caught:
        worker.answer({"pictures": [[*named, "0" * 64]]}, there)

    assert caught.value.code == "data_changed"
    told = worker.answer({"pictures": [[*named, ""]]}, there)  # nor could the command read it
    assert [error["path"] for error in told["errors"]] == [there.dataset.sources[5]]


def test_the_error_of_a_worker_that_cannot_begin_is_ours(bundle, pictures, tmp_path):
    copy = Path(shutil.copy(bundle, tmp_path / "copy.foveal"))

    def meddle(stage, done, total, note=""):
        if stage == "reading files" and done == total:
            copy.unlink()

    with pytest.raises(LookupError, match=r"copy\.foveal"):
        evaluate(copy, pictures, terms=TWO, progress=meddle)

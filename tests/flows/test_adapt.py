"""Adapting from files to a sealed bundle of a new environment."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import foveal
from foveal.bundle import archive
from foveal.bundle.locate import locate
from foveal.cli._main import run
from foveal.core.errors import DataError, NotFoundError, UsageError, WriteError
from foveal.core.progress import silent
from foveal.data import opening
from foveal.data.inventory import content_hashes
from foveal.flows._adapt_proof import Answered
from foveal.flows._held_out import used_contents
from foveal.flows._prepare import STORE
from foveal.flows._sealed import Sealed
from foveal.flows.adapt import AdaptResult, Terms, adapt
from foveal.flows.compare import Terms as Compare
from foveal.flows.compare import compare
from foveal.flows.evaluate import evaluate
from foveal.flows.export import export
from foveal.flows.train import TrainResult, resume
from foveal.tasks import recognizer as recognizers

COLORS = ("blue", "green", "red")
FAST = Terms(threads=1)


def write_shifted(folder: Path, *, per_class: int, seed: int, red: int = 180) -> Path:
    """Write the coloured pictures as a weak camera with a red cast would show them.

    With a red of 90 the network still names them rightly, with 180 it takes all for one class.
    """
    rng = np.random.default_rng(seed)
    for channel, name in enumerate(reversed(COLORS)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(per_class):
            pixels = rng.integers(0, 150, (40, 40, 3)).astype(float)
            pixels[..., channel] += 70
            pixels = 0.3 * pixels + [red, 30, 0]
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{number:03}.png")
    return folder


@pytest.fixture(scope="module")
def shifted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """90 pictures of the new environment; for reading only."""
    return write_shifted(tmp_path_factory.mktemp("new") / "shifted", per_class=30, seed=7)


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 more of them, labelled; for reading only."""
    return write_shifted(tmp_path_factory.mktemp("new") / "few", per_class=20, seed=8)


@pytest.fixture(scope="module")
def adapted(
    trained: TrainResult, shifted: Path, few: Path, tmp_path_factory: pytest.TempPathFactory
) -> AdaptResult:
    """Return an adaptation that is measured; for reading only."""
    out = tmp_path_factory.mktemp("runs") / "adapt"
    return adapt(trained.run, shifted, Terms(threads=1, labelled=few), out=out)


def hashes_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def state(run: Path) -> dict[str, torch.Tensor]:
    return recognizers.load(run / "model").network.state_dict()


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(tensor, b[name]) for name, tensor in a.items())


def test_it_raises_accuracy_where_conditions_changed(adapted: AdaptResult) -> None:
    new = adapted.document["accuracy"]["new"]
    assert new["before"]["value"] < 0.5
    assert new["after"]["value"] > 0.9
    assert new["verdict"] == "better"
    assert new["difference"]["low"] > 0
    assert new["before"]["n"] == new["after"]["n"] == new["difference"]["n"] == 60
    gained = new["only_after"] - new["only_before"]
    assert new["difference"]["value"] == pytest.approx(gained / 60)


def test_the_numbers_are_those_of_the_files(adapted: AdaptResult, trained: TrainResult, few: Path) -> None:
    names = sorted(few.rglob("*.png"))
    for which, bundle in (("before", trained.bundle), ("after", adapted.bundle)):
        answers = foveal.load(bundle).predict(names)
        right = np.mean(
            [answer.label == path.parent.name for answer, path in zip(answers, names, strict=True)]
        )
        assert adapted.document["accuracy"]["new"][which]["value"] == pytest.approx(right)


def test_the_document_and_the_run_have_what_others_need(adapted: AdaptResult, trained: TrainResult) -> None:
    document = adapted.document
    assert document["schema"] == "foveal.adapt/1"
    assert document["ok"] is True
    assert document["pictures"] == {"images": 90, "copies": 0, "unusable": 0, "measured_on": 0}
    assert document["accuracy"]["old"]["before"]["n"] == 27
    assert document["calibrated"]["on"] == "run"
    shares = document["answers"]["shares"]
    for when in ("before", "after"):
        assert sum(share[when] for share in shares.values()) == pytest.approx(1)
    assert json.loads((adapted.run / "metrics.json").read_text()) == document
    manifest = archive.read(adapted.bundle).manifest
    assert manifest.digest == document["digest"]
    assert manifest.model.origin == document["source"]["digest"]
    assert manifest.data.fingerprint == archive.read(trained.bundle).manifest.data.fingerprint
    page = adapted.report.read_text()
    assert "adapting helped" in page
    assert "promise nothing in the new one" in page
    assert "This page contains your pictures" in page
    assert not (adapted.run / "store").exists()


def test_only_statistics_changed(adapted: AdaptResult, trained: TrainResult) -> None:
    before, after = state(trained.run), state(adapted.run)
    changed = {name for name, tensor in after.items() if not torch.equal(tensor, before[name])}
    assert changed
    assert all(name.endswith(("running_mean", "running_var")) for name in changed)


def test_labels_of_the_pictures_play_no_part(
    adapted: AdaptResult, trained: TrainResult, shifted: Path, tmp_path: Path
) -> None:
    """The same contents in other class folders, under other names, give the same bits."""
    paths = sorted(shifted.rglob("*.png"))
    order = np.random.default_rng(0).permutation(len(paths))
    for number, place in enumerate(order):
        folder = tmp_path / "shuffled" / ("one", "two")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(paths[place], folder / f"{number}.png")

    found = adapt(trained.run, tmp_path / "shuffled", FAST, out=tmp_path / "run")

    assert same(state(found.run), state(adapted.run))
    assert found.document["accuracy"]["new"] is None
    assert "nobody can know" in found.report.read_text()


def test_pictures_of_the_old_environment_change_hardly_an_answer(
    trained: TrainResult, colors: Path, tmp_path: Path
) -> None:
    found = adapt(trained.run, colors, FAST, out=tmp_path / "run").document
    assert found["answers"]["changed"]["value"] <= 0.02
    assert found["accuracy"]["old"]["verdict"] == "no_difference_shown"
    # What calibrates the file and what tests it is not adapted to: 27 of the 180 each.
    assert (found["pictures"]["images"], found["pictures"]["measured_on"]) == (126, 54)


def test_what_measures_is_not_adapted_to(
    adapted: AdaptResult, trained: TrainResult, shifted: Path, few: Path, tmp_path: Path
) -> None:
    shutil.copytree(shifted, tmp_path / "both")
    for path in few.rglob("*.png"):
        shutil.copy(path, tmp_path / "both" / path.parent.name / f"few-{path.name}")
    found = adapt(trained.run, tmp_path / "both", Terms(threads=1, labelled=few), out=tmp_path / "run")
    assert found.document["pictures"]["measured_on"] == 60
    assert same(state(found.run), state(adapted.run))
    with pytest.raises(DataError) as caught:
        adapt(trained.run, few, Terms(threads=1, labelled=few), out=tmp_path / "other")
    assert caught.value.code == "too_few_images"
    assert not (tmp_path / "other").exists()


def test_enough_labelled_pictures_calibrate(trained: TrainResult, shifted: Path, tmp_path: Path) -> None:
    many = write_shifted(tmp_path / "many", per_class=150, seed=9)
    found = adapt(trained.run, shifted, Terms(threads=1, labelled=many), out=tmp_path / "run")
    told = found.document["calibrated"]
    assert (told["on"], told["images"], told["needed"]) == ("labelled", 450, 449)
    assert archive.read(found.bundle).manifest.data.images.calib == 450
    assert "450 labelled pictures of the new environment" in found.report.read_text()


def test_what_it_was_adapted_to_and_calibrated_on_is_told(
    trained: TrainResult,
    shifted: Path,
    few: Path,
    colors: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    many = write_shifted(tmp_path / "many", per_class=150, seed=9)
    run_folder = adapt(trained.run, shifted, Terms(threads=1, labelled=many), out=tmp_path / "run").run

    def told(model: Path, pictures: Path) -> str | None:
        return evaluate(model, pictures).report.provenance["unseen"]

    assert told(run_folder, many) == "calibration"
    assert told(run_folder, shifted) == "unlabelled"
    assert told(run_folder, few) == "content"
    assert told(run_folder, colors) == "split"
    assert [told(trained.run, pictures) for pictures in (many, shifted)] == ["content", "content"]
    terms = Compare(threads=1, robustness="none")
    compared = compare([trained.run, run_folder], shifted, terms).document
    assert [row["unseen"] for row in compared["models"]] == ["content", "unlabelled"]

    manifest = archive.read(locate(run_folder)).manifest
    dataset = opening.open(few)
    hashes = content_hashes(dataset)
    used = used_contents(dataset, hashes, Sealed.at(locate(run_folder), manifest), progress=silent)
    assert {hashes_of(path) for path in (*many.rglob("*.png"), *shifted.rglob("*.png"))} <= used
    assert used.isdisjoint(hashes)

    # What is calibrated anew on the run's own pictures is so no longer; what the network saw, it has seen.
    again = adapt(run_folder, few, FAST, out=tmp_path / "again").run
    assert [told(again, pictures) for pictures in (many, shifted, few)] == [
        "content",
        "unlabelled",
        "unlabelled",
    ]
    with pytest.raises(DataError, match="without labels") as caught:
        adapt(run_folder, many, Terms(threads=1, labelled=shifted), out=tmp_path / "not")
    assert caught.value.code == "trained_on"

    assert run(["evaluate", str(run_folder), str(shifted), "-q"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "without labels" in said
    assert "not proven That these images are new to it" in said
    assert run(["evaluate", str(run_folder), str(many), "-q"]) == 0
    assert "they calibrated it" in " ".join(capsys.readouterr().out.split())


def test_the_runs_own_pictures_are_no_new_place(
    trained: TrainResult, shifted: Path, colors: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="trained on") as caught:
        adapt(trained.run, shifted, Terms(threads=1, labelled=colors), out=tmp_path / "run")
    assert caught.value.code == "trained_on"
    assert "new environment" in str(caught.value.hint)
    assert not (tmp_path / "run").exists()
    for path in sorted(colors.rglob("*.png"))[::3]:  # some of them, so that the fingerprint is another
        place = tmp_path / "some" / path.parent.name / path.name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
    with pytest.raises(DataError, match="learned from") as caught:
        adapt(trained.run, shifted, Terms(threads=1, labelled=tmp_path / "some"), out=tmp_path / "run")
    assert caught.value.code == "trained_on"


def test_near_copies_of_what_measures_are_not_adapted_to(
    adapted: AdaptResult, trained: TrainResult, shifted: Path, few: Path, colors: Path, tmp_path: Path
) -> None:
    """Saved again: other bytes, the same pictures, of what is labelled and of the run's own test part."""
    shutil.copytree(shifted, tmp_path / "both")
    split = json.loads((trained.run / "split.json").read_text())
    held_out = [colors / source for source, _ in split["test"][:5]]
    for number, path in enumerate([*sorted(few.rglob("*.png"))[:5], *held_out]):
        with Image.open(path) as image:
            image.save(tmp_path / "both" / f"again-{number}.jpg", quality=95)
    found = adapt(trained.run, tmp_path / "both", Terms(threads=1, labelled=few), out=tmp_path / "run")
    assert found.document["pictures"]["measured_on"] == 10
    assert found.document["pictures"]["images"] == 90
    assert same(state(found.run), state(adapted.run))
    assert not (found.run / STORE).exists()


def test_entropy_learns_scale_and_shift_too(
    trained: TrainResult, shifted: Path, few: Path, tmp_path: Path
) -> None:
    terms = Terms("entropy", {"epochs": 5}, few, threads=1)
    found = adapt(trained.run, shifted, terms, out=tmp_path / "run")
    assert found.document["steps"] == 5
    assert found.document["accuracy"]["new"]["verdict"] == "better"
    before, after = state(trained.run), state(found.run)
    changed = {name for name, tensor in after.items() if not torch.equal(tensor, before[name])}
    norms = {name.rpartition(".")[0] for name in before if name.endswith("running_mean")}
    assert {name.rpartition(".")[0] for name in changed} == norms
    assert any(name.endswith("norm.weight") for name in changed)


def test_answers_that_became_one_class_fail_a_gate(
    trained: TrainResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Steps far too large, for statistics that are not those that ship."""
    mild = write_shifted(tmp_path / "mild", per_class=30, seed=7, red=90)
    line = ["adapt", str(trained.run), str(mild), "--out", str(tmp_path / "run"), "--threads", "1", "-q"]
    harmful = ["--epochs", "20", "--setting", "rate=1", "--setting", "prior=1e6"]

    assert run([*line, "--method", "entropy", *harmful]) == 10

    assert "no bundle was written" in " ".join(capsys.readouterr().out.split())
    document = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert document["ok"] is False
    assert document["bundle"] is None
    assert document["gates"][0]["id"] == "collapse"
    assert document["gates"][0]["verdict"] == "fail"
    assert not list((tmp_path / "run").glob("*.foveal"))
    assert "collapsed" in (tmp_path / "run" / "report.html").read_text()


@pytest.mark.parametrize(
    ("before", "after", "verdict"), [(50, 96, "fail"), (50, 95, "pass"), (96, 99, "pass"), (95, 96, "fail")]
)
def test_the_gate_fails_where_nearly_all_became_one(before: int, after: int, verdict: str) -> None:
    def answers(most: int) -> np.ndarray:
        return np.repeat([0, 1], [most, 100 - most])

    answered = Answered(np.arange(100), answers(before), answers(after), ("a", "b"))
    assert answered.gate().verdict == verdict


def test_the_run_goes_on_as_those_of_a_training_do(
    adapted: AdaptResult, shifted: Path, colors: Path, tmp_path: Path
) -> None:
    assert export(adapted.run, tmp_path / "again.foveal").bundle is not None
    once_more = adapt(adapted.run, shifted, FAST, out=tmp_path / "run")
    assert once_more.document["answers"]["changed"]["value"] <= 0.02
    with pytest.raises(UsageError) as caught:
        resume(adapted.run, colors)
    assert caught.value.code == "adapted_run"


def test_ctrl_c_leaves_nothing_half_written(
    adapted: AdaptResult, trained: TrainResult, shifted: Path, tmp_path: Path, stopped_at
) -> None:
    terms = Terms("entropy", {"epochs": 20}, threads=1)
    with pytest.raises(KeyboardInterrupt):
        adapt(trained.run, shifted, terms, out=tmp_path / "run", progress=stopped_at("train", 0.5))
    assert not (tmp_path / "run").exists()

    shutil.copytree(adapted.run, tmp_path / "old")
    before = {path.name: path.read_bytes() for path in (tmp_path / "old").iterdir() if path.is_file()}
    with pytest.raises(KeyboardInterrupt):
        adapt(trained.run, shifted, FAST, out=tmp_path / "old", force=True, progress=stopped_at("export"))
    left = {path.name: path.read_bytes() for path in (tmp_path / "old").iterdir() if path.is_file()}
    left.pop(".lock", None), before.pop(".lock", None)
    assert left == before


def test_the_command_prints_one_document_or_what_people_need(
    trained: TrainResult, shifted: Path, few: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["adapt", str(trained.run), str(shifted), "--threads", "1"]
    assert run([*line, "--out", str(tmp_path / "a"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == json.loads((tmp_path / "a" / "metrics.json").read_text())
    assert run([*line, "--out", str(tmp_path / "b"), "--labelled", str(few), "-q"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "adapted nano to 90 pictures by statistics" in said
    assert "adapting helped" in said
    assert "promise nothing in the new one" in said


def test_what_is_wrong_is_said_before_anything_is_written(
    trained: TrainResult, shifted: Path, few: Path, tmp_path: Path
) -> None:
    strange = tmp_path / "strange"
    shutil.copytree(few, strange)
    (strange / "red").rename(strange / "pink")
    with pytest.raises(DataError, match="'pink'"):
        adapt(trained.run, shifted, Terms(threads=1, labelled=strange), out=tmp_path / "run")
    with pytest.raises(NotFoundError):
        adapt(trained.run, tmp_path / "nothing", FAST, out=tmp_path / "run")
    with pytest.raises(NotFoundError, match="no finished run"):
        adapt(tmp_path, shifted, FAST, out=tmp_path / "run")
    for place in (shifted / "run", trained.run / "run"):
        with pytest.raises(WriteError) as caught:
            adapt(trained.run, shifted, FAST, out=place)
        assert caught.value.code == "inside_data"
    assert not (tmp_path / "run").exists()

"""flows.train: from a folder to a proven bundle, resumable at any moment, with nothing half-done left."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import safetensors.numpy
import torch
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

import foveal
from foveal.bundle import archive
from foveal.calibrate.fit import fit_decision
from foveal.core.errors import (
    DataError,
    NotFoundError,
    RecipeError,
    TemporaryError,
    UsageError,
    WriteError,
)
from foveal.export import graph as graphs
from foveal.export import sealing
from foveal.flows import _forecast
from foveal.flows._log import Logged
from foveal.flows._train_document import clock
from foveal.flows.train import resume, train
from foveal.train.recipe import Recipe

RECIPE = Recipe(epochs=6, size=16, precision="fp32", threads=1, baseline=False)


def weights(run):
    return safetensors.numpy.load((run / "model" / "weights.safetensors").read_bytes())


def same_weights(one, other):
    one, other = weights(one), weights(other)
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


def test_the_document_has_what_the_contract_promises(trained):
    document = trained.document

    assert document["schema"] == "foveal.train/1"
    assert document["ok"] is True
    assert {"run", "bundle", "model", "task", "seconds", "images_per_second", "epochs"} <= document.keys()
    assert set(document["metrics"]["test"]["accuracy"]) == {"value", "low", "high", "n", "method"}
    assert document["metrics"]["test"]["accuracy"]["value"] > 0.8
    assert document["baseline"]["accuracy"]["n"] == document["metrics"]["test"]["accuracy"]["n"]
    assert document["parity"]["max_abs_difference"] <= 1e-4
    assert document["epochs"] == pytest.approx(6, rel=0.1)
    json.dumps(document, allow_nan=False)


def test_the_run_folder_has_what_the_contract_promises(trained):
    names = {path.name for path in trained.run.iterdir()}

    wanted = "recipe.toml env.json history.jsonl metrics.json checkpoints model report.html figures log.txt"
    assert {*wanted.split(), "split.json"} <= names
    assert trained.bundle.name == "colors.foveal"
    assert not (trained.run / "store").exists(), "the pixels are not kept"
    written = json.loads((trained.run / "metrics.json").read_text())
    assert written == json.loads(json.dumps(trained.document))


def test_what_was_measured_is_what_ships(trained, colors):
    split = json.loads((trained.run / "split.json").read_text())
    predictor = foveal.load(trained.bundle)

    answers = predictor.predict([colors / source for source, _ in split["test"]])

    right = np.mean(
        [a.label == Path(s).parent.name for a, (s, _) in zip(answers, split["test"], strict=True)]
    )
    assert right == trained.evaluation["metrics"]["accuracy"]["value"]
    assert len(answers) == trained.evaluation["images"]
    losses = [
        -np.log(a.scores[Path(s).parent.name]) for a, (s, _) in zip(answers, split["test"], strict=True)
    ]
    assert np.mean(losses) == pytest.approx(trained.evaluation["metrics"]["nll"], rel=1e-3)
    members = archive.read(trained.bundle)
    assert members.report["digest"] == members.manifest.digest == trained.document["digest"]


def test_the_decision_is_fitted_on_the_calibration_part_and_on_nothing_else(trained, colors):
    split = json.loads((trained.run / "split.json").read_text())
    predictor, dataset = foveal.load(trained.bundle), foveal.data.open(colors)
    rows = {source: i for i, source in enumerate(dataset.sources)}

    def fitted_on(role):
        chosen = sorted(rows[source] for source, _ in split[role])
        pictures = [predictor.preprocess(dataset.read(i).decode(3)) for i in chosen]
        _, logits = predictor.run(np.stack(pictures))
        return fit_decision(logits, dataset.labels[chosen], seed=split["seed"])

    temperature, decision = fitted_on("calib")
    assert predictor.manifest.temperature == pytest.approx(temperature, rel=1e-4)
    assert predictor.decision.conformal.quantile == pytest.approx(decision.conformal.quantile, abs=1e-4)
    assert fitted_on("test")[0] != pytest.approx(temperature, rel=1e-3), "or nothing was shown"


def test_frames_of_one_object_prove_once_in_the_bundle_that_ships(colors, tmp_path, stopped_at):
    data, run = Path(shutil.copytree(colors, tmp_path / "data")), tmp_path / "run"
    pictures = sorted(path.relative_to(data).as_posix() for path in data.rglob("*.png"))
    rows = [f"{name},{name.split('/')[0]}-{int(Path(name).stem) // 3}" for name in pictures]
    (data / "groups.csv").write_text("\n".join(["picture,group", *rows]))
    with pytest.raises(KeyboardInterrupt):
        train(data, recipe=RECIPE, out=run, progress=stopped_at("train"))
    (data / "groups.csv").unlink()  # a run keeps what it started with

    document = resume(run, data)

    split = json.loads((run / "split.json").read_text())
    tracks = {(source.split("/")[0], int(Path(source).stem) // 3) for source, _ in split["calib"]}
    decision = foveal.load(run).decision
    assert len(split["calib"]) == 3 * len(tracks)
    assert decision.abstain.n == decision.conformal.n == pytest.approx(len(tracks) * 2 / 3, abs=1)
    facts = document.evaluation["provenance"]
    assert facts["independent_images"] == len(split["test"]) / 3
    assert facts["images_per_second"] is None


def test_nothing_of_the_user_is_in_the_bundle(trained, colors):
    content = trained.bundle.read_bytes()

    assert str(colors).encode() not in content
    assert str(trained.run).encode() not in content


def test_the_report_in_a_bundle_numbers_the_pictures_that_the_run_names(tmp_path):
    folder = tmp_path / "patients"
    rng = np.random.default_rng(0)
    for number in range(120):  # noise: nothing can be learned, so there are mistakes
        path = folder / "ab"[number % 2] / f"Jane_Doe_{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(path)

    trained = train(folder, recipe=RECIPE, out=tmp_path / "run")

    assert all("Jane_Doe" in one["source"] for one in trained.evaluation["worst_mistakes"])
    content = trained.bundle.read_bytes()
    assert b"Jane_Doe" not in content
    assert b'"source": "#0"' in content


def test_roles_are_disjoint_and_the_data_folder_is_untouched(trained, colors):
    split = json.loads((trained.run / "split.json").read_text())

    hashes = [{sha256 for _, sha256 in split[role]} for role in ("fit", "calib", "test")]
    assert not hashes[0] & hashes[1] | hashes[0] & hashes[2] | hashes[1] & hashes[2]
    assert sum(map(len, hashes)) == 180 == sum(1 for _ in colors.rglob("*.png"))


def test_the_same_recipe_gives_the_same_bundle(trained, colors, tmp_path):
    again = train(colors, recipe=RECIPE, out=tmp_path / "again")

    assert again.document["digest"] == trained.document["digest"]


def test_ctrl_c_and_resume_end_in_the_same_weights(trained, colors, tmp_path, stopped_at):
    with pytest.raises(KeyboardInterrupt):
        train(colors, recipe=RECIPE, out=tmp_path / "run", progress=stopped_at("train", 0.5))
    assert not list((tmp_path / "run").glob("*.foveal"))

    resumed = resume(tmp_path / "run", colors)

    assert resumed.document["resumed_from"] > 0
    assert same_weights(resumed.run, trained.run)
    assert resumed.document["digest"] == trained.document["digest"]


SLOW_STAGES = [
    pytest.param(name, marks=pytest.mark.slow) for name in ("reading pictures", "warm-up", "measuring")
]


@pytest.mark.parametrize("stage", ["train", "export", *SLOW_STAGES])
def test_kill_nine_at_any_stage_and_resume(stage, trained, colors, tmp_path):
    run = tmp_path / "run"
    script = (
        "import os, signal, sys\n"
        "from foveal.flows.train import train\n"
        "from foveal.train.recipe import Recipe\n"
        "def kill(stage, done, total, note=''):\n"
        "    if stage == sys.argv[3] and done >= total / 2: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"train(sys.argv[1], recipe=Recipe(**{RECIPE.model_dump(exclude_none=True)!r}), out=sys.argv[2] and "
        "__import__('pathlib').Path(sys.argv[2]), progress=kill)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, colors, run, stage], check=False)
    assert killed.returncode == -signal.SIGKILL

    resumed = resume(run, colors)

    assert same_weights(resumed.run, trained.run)
    assert resumed.document["digest"] == trained.document["digest"]


def test_a_budget_becomes_a_plan(colors, tmp_path, monkeypatch):
    monkeypatch.setattr(_forecast, "_EXPORT_SECONDS", 0.0)

    result = train(colors, recipe=Recipe(time_seconds=30, size=16, threads=1), out=tmp_path / "run")

    plan = json.loads((tmp_path / "run" / "plan.json").read_text())
    assert plan["steps"] * plan["step_seconds"] <= 30
    assert plan["steps"] * plan["batch_size"] >= plan["images"]
    assert "passes over" in plan["reasons"]["length"]
    assert result.document["budget"]["seconds"] == 30


@pytest.mark.parametrize(("used", "kept", "over"), [(90, True, 0.0), (109, True, 0.09), (111, False, 0.11)])
def test_a_budget_that_was_not_kept_is_said(used, kept, over):
    assert clock(100.0, used)["budget"] == {"seconds": 100.0, "overshoot_share": over, "kept": kept}
    assert clock(None, used)["budget"] is None


def test_time_is_only_set_aside_for_pictures_that_are_there(monkeypatch):
    monkeypatch.setattr(_forecast, "_EXPORT_SECONDS", 0.0)

    def forecast(calib, test):
        split = SimpleNamespace(role={"fit": range(calib), "calib": range(calib), "test": range(test)}.get)
        return _forecast.seconds_after_training(
            SimpleNamespace(split=split, preprocess=SimpleNamespace(size=224, shape=(224, 224, 3)))
        )

    assert forecast(42, 100) < forecast(5000, 5000) / 10


def test_a_budget_that_is_too_small_is_refused_with_the_time_it_takes(colors, tmp_path):
    with pytest.raises(RecipeError, match="one pass over") as caught:
        train(colors, recipe=Recipe(time_seconds=0.5, threads=1), out=tmp_path / "run")

    assert caught.value.code == "budget_too_small"


def test_changed_data_cannot_be_resumed(colors, tmp_path, stopped_at):
    data = Path(shutil.copytree(colors, tmp_path / "data"))

    with pytest.raises(KeyboardInterrupt):
        train(data, recipe=RECIPE, out=tmp_path / "run", progress=stopped_at("train"))
    (data / "red" / "000.png").unlink()

    with pytest.raises(DataError, match="has changed since"):
        resume(tmp_path / "run", data)


def test_another_machine_needs_force(trained, colors, tmp_path):
    run = Path(shutil.copytree(trained.run, tmp_path / "run"))
    environment = json.loads((run / "env.json").read_text())
    (run / "env.json").write_text(json.dumps({**environment, "threads": 64}))

    with pytest.raises(UsageError, match="would not be bit-identical"):
        resume(run, colors)

    forced = resume(run, colors, force=True).document
    assert forced["ok"]
    assert forced["bit_exact"] is False


def test_a_finished_run_does_not_take_other_data(trained, colors, tmp_path):
    run = Path(shutil.copytree(trained.run, tmp_path / "run"))
    data = Path(shutil.copytree(colors, tmp_path / "data"))
    (data / "red" / "000.png").unlink()

    def contents():
        return {p.name: p.read_bytes() for p in run.iterdir() if p.name != "log.txt" and p.is_file()}

    before = contents()

    with pytest.raises(DataError, match="has changed since"):
        resume(run, data)

    assert contents() == before


def test_a_store_that_is_damaged_is_made_again(trained, colors, tmp_path, stopped_at):
    run = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train(colors, recipe=RECIPE, out=run, progress=stopped_at("train"))
    (run / "store" / "pixels.npy.json").unlink()
    (run / "store" / ".pixels.npy.x.tmp").write_bytes(b"half")

    resumed = resume(run, colors)

    assert same_weights(resumed.run, trained.run)
    assert not (run / "store").exists()


def test_a_store_that_is_made_again_holds_every_picture_or_the_run_does_not_go_on(
    colors, tmp_path, stopped_at, monkeypatch
):
    run = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train(colors, recipe=RECIPE, out=run, progress=stopped_at("train"))
    shutil.rmtree(run / "store")

    def refuse(image):
        raise OSError("this version reads no such picture")

    monkeypatch.setattr(PngImageFile, "load", refuse)

    with pytest.raises(
        DataError, match="180 of 180 pictures that could be read cannot be read now"
    ) as caught:
        resume(run, colors)
    assert caught.value.code == "split_mismatch"
    assert not list(run.glob("*.foveal"))


def test_other_data_named_by_mistake_cost_no_second_decoding(colors, trained, tmp_path, stopped_at):
    run, other = tmp_path / "run", Path(shutil.copytree(colors, tmp_path / "other"))
    (other / "red" / "000.png").unlink()
    with pytest.raises(KeyboardInterrupt):
        train(colors, recipe=RECIPE, out=run, progress=stopped_at("train", 0.5))

    with pytest.raises(DataError, match="has changed since"):
        resume(run, other)

    assert (run / "store" / "pixels.npy").is_file()
    assert same_weights(resume(run, colors).run, trained.run)


def test_nothing_is_made_for_data_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(NotFoundError):
        train("nowhere")

    assert not list(tmp_path.iterdir())


def test_too_few_pictures_to_calibrate_or_measure_are_an_error(tmp_path):
    for name in ("a", "b"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(2):
            picture = Image.new("RGB", (20, 20), (number * 50, 90, ord(name)))
            picture.save(tmp_path / "data" / name / f"{number}.png")

    with pytest.raises(DataError, match="No picture is left to calibrate on") as caught:
        train(tmp_path / "data", recipe=RECIPE, out=tmp_path / "run")

    assert caught.value.code == "empty_role"
    assert not (tmp_path / "run" / "store").exists()


def test_what_is_no_run_cannot_be_resumed(colors, tmp_path):
    with pytest.raises(NotFoundError, match="no run that can be resumed"):
        resume(tmp_path, colors)


def test_an_existing_folder_needs_force_and_is_then_started_anew(trained, colors, tmp_path):
    run = Path(shutil.copytree(trained.run, tmp_path / "run"))
    with pytest.raises(WriteError, match="is not empty"):
        train(colors, recipe=RECIPE, out=run)

    again = train(colors, recipe=RECIPE, out=run, force=True)

    assert again.document["resumed_from"] == 0


def test_data_with_an_error_is_not_trained_on(colors, tmp_path):
    data = Path(shutil.copytree(colors, tmp_path / "data"))
    (data / "red" / "000.png").write_bytes(b"no picture")

    with pytest.raises(DataError) as caught:
        train(data, recipe=RECIPE, out=tmp_path / "run")

    assert caught.value.code == "unreadable_images"
    assert caught.value.exit_code == 65


def test_an_export_that_decides_differently_is_refused(colors, tmp_path, monkeypatch):
    honest = sealing.graph

    def swapped(recognizer, **given):
        model = graphs.onnx.load_from_string(honest(recognizer, **given))
        head = next(i for i in model.graph.initializer if tuple(i.dims)[:1] == (3,) and len(i.dims) == 2)
        values = graphs.numpy_helper.to_array(head)[::-1].copy()
        head.CopyFrom(graphs.numpy_helper.from_array(values, head.name))
        return model.SerializeToString()

    monkeypatch.setattr(sealing, "graph", swapped)
    result = train(colors, recipe=RECIPE, out=tmp_path / "run")

    assert result.bundle is None
    assert result.document["ok"] is False
    assert result.document["bundle"] is None
    assert result.document["gates"][0]["verdict"] == "fail"
    assert not list((tmp_path / "run").glob("*.foveal"))
    assert (tmp_path / "run" / "metrics.json").is_file()
    assert "The export was refused" in result.report.read_text()


def test_two_processes_cannot_work_on_one_run(trained, colors):
    from foveal.core import runs

    with runs.locked(trained.run), pytest.raises(TemporaryError, match="another process"):
        resume(trained.run, colors)


def test_strict_stops_at_warnings(colors, tmp_path):
    with pytest.raises(DataError):
        train(colors, recipe=RECIPE, out=tmp_path / "run", strict=True)


def test_a_run_stopped_while_training_goes_on_by_way_of_last_from_where_it_was(
    trained, colors, tmp_path, monkeypatch, stopped_at
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        train(colors, recipe=RECIPE, progress=stopped_at("train", 0.5))

    resumed = resume("runs/last", colors)

    assert resumed.run == Path("runs/train-1")
    assert resumed.document["resumed_from"] > 0
    assert same_weights(resumed.run, trained.run)
    assert (tmp_path / "runs" / "last").resolve() == tmp_path / "runs" / "train-1"


def test_a_run_goes_on_with_other_threads_and_says_so(colors, tmp_path, stopped_at):
    run, seen = tmp_path / "run", set()

    def watch(stage, done, total, note=""):
        if stage == "train":
            seen.add(torch.get_num_threads())
            if done >= 0.7 * total:
                signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(colors, recipe=RECIPE, out=run, progress=stopped_at("train", 0.4))
    with pytest.raises(UsageError, match="started with threads 1, here it is 2"):
        resume(run, colors, threads=2)
    with pytest.raises(KeyboardInterrupt):
        resume(run, colors, threads=2, force=True, progress=watch)
    assert seen == {2}

    document = resume(run, colors).document

    assert document["resumed_from"] > 0.6 * document["plan"]["steps"], "its checkpoints still count"
    assert document["plan"]["threads"] == 2
    assert document["bit_exact"] is False
    assert json.loads((run / "env.json").read_text())["threads"] == 2


def test_data_that_are_refused_do_not_move_a_run(trained, colors, tmp_path):
    run = Path(shutil.copytree(trained.run, tmp_path / "run"))
    data = Path(shutil.copytree(colors, tmp_path / "data"))
    (data / "red" / "000.png").unlink()

    with pytest.raises(DataError, match="has changed since"):
        resume(run, data, threads=2, force=True)

    assert json.loads((run / "env.json").read_text())["bit_exact"] is True
    assert "threads = 1" in (run / "recipe.toml").read_text()


def test_a_strict_run_is_strict_when_it_goes_on(colors, tmp_path, stopped_at):
    with pytest.raises(KeyboardInterrupt):
        train(
            colors, recipe=RECIPE, out=tmp_path / "run", strict=True, progress=stopped_at("reading pictures")
        )

    with pytest.raises(DataError):
        resume(tmp_path / "run", colors)


def test_data_that_moved_do_not_make_a_second_bundle(trained, colors, tmp_path):
    run = Path(shutil.copytree(trained.run, tmp_path / "run"))
    data = Path(shutil.copytree(colors, tmp_path / "elsewhere"))

    again = resume(run, data)

    assert [path.name for path in run.glob("*.foveal")] == ["colors.foveal"]
    assert again.document["digest"] == trained.document["digest"]


def test_a_log_that_cannot_be_written_ends_no_training(tmp_path):
    told = []
    logged = Logged(lambda *given: told.append(given), tmp_path / "missing" / "log.txt")

    logged("train", 1, 2)

    assert told == [("train", 1, 2, "")]

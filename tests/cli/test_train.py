"""`foveal train`: options reach the recipe, results reach stdout, endings have their exit code."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveal.cli import _main


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli") / "shapes"
    rng = np.random.default_rng(0)
    for label, name in enumerate(("dark", "light")):
        (folder / name).mkdir(parents=True)
        for number in range(30):
            pixels = rng.integers(100 * label, 100 * label + 120, (20, 20), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


def test_json_is_one_document_and_talk_goes_to_stderr(pictures, tmp_path, capsys):
    out = tmp_path / "run"
    arguments = ["train", str(pictures), "--epochs", "4", "--size", "16", "--threads", "1", "--out", str(out)]

    code = _main.run([*arguments, "--json"])

    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert code == 0
    assert document["schema"] == "foveal.train/1"
    assert Path(document["bundle"]).is_file()
    assert Path(document["report"]).is_file()
    assert "train" in captured.err
    again = _main.run(arguments)
    assert again == 73
    assert "is not empty" in capsys.readouterr().err


def test_people_are_told_the_result_and_the_next_command(pictures, tmp_path, capsys):
    (tmp_path / "r.toml").write_text('epochs = 3\nsize = 16\nprecision = "fp32"\n')

    code = _main.run(
        ["train", str(pictures), "--recipe", str(tmp_path / "r.toml"), "--out", str(tmp_path / "run"), "-q"]
    )

    captured = capsys.readouterr()
    assert code == 0
    assert captured.err == ""
    assert "95% interval" in captured.out
    assert captured.out.rstrip().splitlines()[-1].startswith("next      foveal predict ")
    assert "precision fp32: as asked" in captured.out


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["--time", "5"], 2, "usage"),
        (["--epochs", "-1"], 78, "bad_recipe"),
        (["--epochs", "1", "--time", "5s"], 2, "usage"),
        (["--model", "nanoo"], 2, "unknown_name"),
        (["--device", "cuda"], 69, "no_device"),
        (["--resume", "nowhere", "--epochs", "3"], 2, "usage"),
        (["--resume", "nowhere"], 66, "not_found"),
        (["--resume", "nowhere", "--threads", "2"], 66, "not_found"),
        (["--resume", "nowhere", "--strict"], 2, "usage"),
        (["--epochs", "inf"], 78, "bad_recipe"),
        (["--size", "8"], 78, "wrong_size"),
        (["--recipe", "nowhere.toml"], 66, "not_found"),
        (["--nonsense"], 2, "usage"),
        (["--objective", "adversary"], 2, "unknown_name"),
        (["--objective", "trades", "--setting", "epsilon"], 2, "usage"),
        (["--objective", "trades", "--setting", "epsilom=8"], 78, "bad_recipe"),
        (["--setting", "epsilon=8"], 78, "bad_recipe"),
        (["--resume", "nowhere", "--objective", "trades"], 2, "usage"),
        (["--time", "1ms"], 78, "budget_too_small"),
    ],
)
def test_every_mistake_has_its_exit_code(pictures, tmp_path, monkeypatch, capsys, arguments, code, error):
    monkeypatch.chdir(tmp_path)

    assert _main.run(["train", str(pictures), *arguments, "--json", "-q"]) == code

    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "foveal.error/1"
    assert (document["ok"], document["error"]["code"]) == (False, error)


def test_an_objective_and_its_settings_reach_recipe_and_plan(pictures, tmp_path, capsys):
    run = tmp_path / "run"
    arguments = ["--epochs", "2", "--size", "16", "--threads", "1", "--no-baseline", "--out", str(run), "-q"]
    chosen = ["--objective", "logit-norm", "--setting", "temperature=0.5"]

    assert _main.run(["train", str(pictures), *arguments, *chosen, "--json"]) == 0

    plan = json.loads(capsys.readouterr().out)["plan"]
    assert (plan["objective"], plan["settings"]) == ("logit_norm", {"temperature": 0.5})
    assert plan["label_smoothing"] == 0.0
    assert "[settings]\ntemperature = 0.5\n" in (run / "recipe.toml").read_text()


@pytest.mark.parametrize("out", [[], ["--out", "run"], ["--out", "..", "--force"]])
def test_a_run_beside_or_around_the_pictures_is_exit_73(pictures, monkeypatch, capsys, out):
    monkeypatch.chdir(pictures)

    assert _main.run(["train", ".", *out, "--json"]) == 73

    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "inside_data"
    assert "--out" in error["hint"]
    assert sorted(path.name for path in pictures.iterdir()) == ["dark", "light"]


def test_missing_data_is_exit_66(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    assert _main.run(["train", "nowhere", "--json"]) == 66


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_it_saves_and_resumes(pictures, tmp_path, number, code):
    run = tmp_path / "run"
    command = [sys.executable, "-c", "from foveal.cli import main; main()", "train", str(pictures)]
    process = subprocess.Popen(
        [*command, "--epochs", "3000", "--size", "16", "--threads", "1", "--out", str(run)],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    seen = ""
    while " train " not in seen and process.poll() is None:
        log = run / "log.txt"
        seen = log.read_text() if log.exists() else ""
    process.send_signal(number)
    _, talk = process.communicate()

    assert process.returncode == code
    assert "--resume RUN goes on with all that is saved" in talk
    assert "Traceback" not in talk
    (saved,) = (run / "checkpoints").glob("step-*.json")
    assert json.loads(saved.read_text())["step"] >= 1

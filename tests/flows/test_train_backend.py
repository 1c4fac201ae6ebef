"""Processes that a backend starts train as one, and losing one changes nothing in the result."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

TRAIN = [sys.executable, "-m", "foveal", "train"]
SOURCE = Path(__import__("foveal").__file__).parents[1]
PATIENCE = 60.0


def started(*arguments, cwd):
    if "--resume" not in arguments:
        (cwd / "fixed.toml").write_text(FIXED)
        arguments += ("--recipe", "fixed.toml")
    told = {**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*TRAIN, *map(str, arguments)], cwd=cwd, env=told, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip


def ended(process):
    out, said = process.communicate()
    assert out.count("\n") == 1, out + said
    return process.returncode, json.loads(out), said


def children(pid):
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def ranks(pid):
    """Return the process numbers of the ranks by rank."""
    found = {}
    for child in children(pid):
        environment = Path(f"/proc/{child}/environ").read_bytes().split(b"\0")
        found |= {int(one[5:]): child for one in environment if one.startswith(b"RANK=")}
    return found


def wait_until(true, process):
    until = time.monotonic() + PATIENCE
    while not true():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)


def steps(run):
    log = run / "log.txt"
    return log.read_text().count(" train ") if log.is_file() else 0


OPTIONS = ["--epochs", "24", "--size", "16", "--no-baseline", "--json", "--workers", "2"]
FIXED = 'precision = "fp32"\n'  # else it is measured, and two runs may choose otherwise


@pytest.fixture(scope="module")
def undisturbed(colors, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    code, document, said = ended(started(colors, *OPTIONS, "--out", "run", cwd=folder))
    assert code == 0, said
    return folder / "run", document, said


def weights(run):
    return (run / "model" / "weights.safetensors").read_bytes()


def test_one_document_says_how_many_there_were_and_progress_comes_through(undisturbed):
    run, document, said = undisturbed
    assert (document["ranks"], document["ok"], document["bit_exact"]) == (2, True, True)
    assert json.loads((run / "env.json").read_text())["ranks"] == 2
    assert document["metrics"]["test"]["accuracy"]["value"] > 0.8
    assert "train " in said
    assert {path.name for path in run.parent.iterdir()} == {"run", "fixed.toml"}


def test_a_rank_that_is_killed_changes_no_bit(undisturbed, colors, tmp_path):
    run = tmp_path / "run"
    process = started(colors, *OPTIONS, "--out", run, cwd=tmp_path)
    wait_until(lambda: steps(run) > 5, process)
    os.kill(ranks(process.pid)[1], signal.SIGKILL)

    code, document, said = ended(process)

    assert code == 0, said
    assert document["bit_exact"] is True
    lines = (run / "log.txt").read_text().splitlines()
    assert sum(" train 1/" in line for line in lines) == 2  # it was soon enough that nothing was saved
    assert weights(run) == weights(undisturbed[0])


@pytest.mark.slow
def test_ctrl_c_ends_all_ranks_and_what_they_did_is_saved(undisturbed, colors, tmp_path):
    run = tmp_path / "run"
    process = started(colors, *OPTIONS, "--out", run, cwd=tmp_path)
    wait_until(lambda: steps(run) > 5, process)
    begun = list(ranks(process.pid).values())
    process.send_signal(signal.SIGINT)

    code, document, _ = ended(process)

    assert (code, document["error"]["code"]) == (130, "interrupted")
    assert not any(Path(f"/proc/{pid}").exists() for pid in begun)
    assert list((run / "checkpoints").glob("step-*.json"))
    resumed = started(colors, "--resume", run, "--workers", "2", "--json", "-q", cwd=tmp_path)
    code, document, said = ended(resumed)
    assert code == 0, said
    assert document["resumed_from"] > 0
    assert weights(run) == weights(undisturbed[0])


def test_an_error_of_the_first_rank_is_the_one_that_is_told(tmp_path):
    (tmp_path / "empty").mkdir()

    code, document, _ = ended(started("empty", *OPTIONS, cwd=tmp_path))

    assert code in (65, 66)
    assert document["error"]["code"] != "internal"
    assert not list(tmp_path.glob("runs/train-*"))


def test_under_another_launcher_no_more_processes_are_started(tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")

    process = started("nowhere", *OPTIONS, cwd=tmp_path)

    code, document, _ = ended(process)
    assert (code, document["error"]["code"]) == (2, "usage")
    assert "start processes of their own" in document["error"]["message"]


@pytest.mark.ray
@pytest.mark.slow
def test_ray_trains_the_same(undisturbed, colors, tmp_path):
    pytest.importorskip("ray")
    run = tmp_path / "run"

    code, document, said = ended(started(colors, *OPTIONS, "--backend", "ray", "--out", run, cwd=tmp_path))

    assert code == 0, said
    assert (document["ranks"], document["bit_exact"]) == (2, True)
    assert weights(run) == weights(undisturbed[0])

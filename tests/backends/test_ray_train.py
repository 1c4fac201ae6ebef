"""`foveal train --backend ray` on real nodes of this machine, one of which dies with a rank on it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = [pytest.mark.ray, pytest.mark.slow]
NODE = {"object_store_memory": 80 << 20, "include_dashboard": False}
PATIENCE = 600.0  # Ray Train takes minutes to begin where others work, too


@pytest.fixture
def colors(tmp_path):
    """180 pictures in three class folders."""
    rng = np.random.default_rng(0)
    for channel, name in enumerate(("red", "green", "blue")):
        (tmp_path / "colors" / name).mkdir(parents=True)
        for number in range(60):
            pixels = rng.integers(0, 150, (40, 40, 3), dtype=np.uint8)
            pixels[..., channel] += 70
            Image.fromarray(pixels).save(tmp_path / "colors" / name / f"{number:03}.png")
    return tmp_path / "colors"


@pytest.fixture
def begun(colors):
    """Start a training of two ranks; what still runs in the end is killed."""
    running = []

    def begin(*options: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "foveal", "train", str(colors), "--json", "-q", "--workers", "2"]
        told = {**os.environ, "OMP_NUM_THREADS": "1"}
        running.append(
            subprocess.Popen(
                [*command, *options], env=told, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
        )
        return running[-1]

    yield begin
    for process in running:
        process.kill()
        process.communicate()


def ended(process: "subprocess.Popen[str]") -> tuple[int, dict]:
    out, said = process.communicate()
    assert out.count("\n") == 1, out + said
    return process.returncode, json.loads(out)


def wait_until(true, process) -> None:
    until = time.monotonic() + PATIENCE
    while not true():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.05)


def has_a_rank(node) -> bool:
    """Return whether one of a node's worker processes trains."""
    raylet = node.all_processes["raylet"][0].process.pid
    workers = Path(f"/proc/{raylet}/task/{raylet}/children").read_text().split()
    return any(b"TrainWorker" in Path(f"/proc/{one}/cmdline").read_bytes() for one in workers)


def told(run: Path, stage: str) -> int:
    """Return how often a stage was told of in a run's log."""
    return (run / "log.txt").read_text().count(f" {stage} ") if (run / "log.txt").is_file() else 0


def test_a_node_dies_and_the_training_goes_on_to_the_same_bits(cluster, begun, tmp_path) -> None:
    recipe = tmp_path / "fixed.toml"
    recipe.write_text('epochs = 80\nsize = 16\nbaseline = false\nprecision = "fp32"\n')  # else it is measured
    alone, run = tmp_path / "alone", tmp_path / "run"
    assert ended(begun("--recipe", str(recipe), "--out", str(alone)))[0] == 0
    stopped = begun("--recipe", str(recipe), "--out", str(run))
    wait_until(lambda: told(run, "train") > 3, stopped)
    stopped.send_signal(signal.SIGINT)  # so there is a checkpoint, however fast this machine is
    assert ended(stopped)[0] == 130
    before = told(run, "train")
    cluster.add_node(num_cpus=1, **NODE)

    process = begun("--resume", str(run), "--backend", "ray", "--ray-address", cluster.address)
    wait_until(lambda: told(run, "train") > before + 1, process)
    doomed = next(node for node in cluster.worker_nodes if has_a_rank(node))
    cluster.remove_node(doomed, False)
    code, document = ended(process)

    assert code == 0, document
    assert told(run, "reading files") == 2  # it went on with the run twice
    assert (document["ranks"], document["bit_exact"], document["ok"]) == (2, True, True)
    assert document["resumed_from"] > 0
    weights = "model/weights.safetensors"
    assert (run / weights).read_bytes() == (alone / weights).read_bytes()


def test_without_room_for_all_ranks_it_ends_and_says_how_to_go_on(cluster, begun, tmp_path) -> None:
    run = tmp_path / "run"
    process = begun(
        "--epochs", "9000", "--size", "16", "--no-baseline", "--out", str(run),
        "--backend", "ray", "--ray-address", cluster.address,
    )  # fmt: skip
    wait_until(lambda: told(run, "train") > 1, process)
    cluster.remove_node(next(node for node in cluster.worker_nodes if has_a_rank(node)), False)
    code, document = ended(process)
    cluster.add_node(num_cpus=1, **NODE)  # for whoever comes next

    assert (code, document["error"]["code"]) == (75, "no_worker")
    assert "its nodes have 0, 1" in document["error"]["message"]
    assert document["error"]["hint"].endswith(f"--resume {run} goes on")

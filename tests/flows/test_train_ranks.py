"""`torchrun -m foveal train`: one run, one document, and a resume with another number of ranks."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from foveal.flows.train import TrainResult, train
from foveal.train.recipe import Recipe

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]


def told(command: list[str], folder: Path) -> tuple[int, dict[str, object], str]:
    environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.count("\n") == 1, done.stdout + done.stderr
    return done.returncode, json.loads(done.stdout), done.stderr


@pytest.mark.slow
def test_two_ranks_train_one_recognizer(colors: Path, tmp_path: Path) -> None:
    arguments = ["foveal", "train", str(colors), "--epochs", "6", "--size", "16", "--json", "-q"]

    code, document, said = told([*TORCHRUN, *arguments, "--out", "run"], tmp_path)

    assert code == 0, said
    assert (document["ok"], document["ranks"]) == (True, 2)
    assert document["metrics"]["test"]["accuracy"]["value"] > 0.8  # type: ignore[index]
    one = train(colors, recipe=Recipe(epochs=6, size=16), out=tmp_path / "one").document
    assert document["plan"]["steps"] == one["plan"]["steps"]  # type: ignore[index]
    # Elsewhere is said, not silently done.
    again = [sys.executable, "-m", "foveal", "train", str(colors), "--resume", "run", "--json", "-q"]
    code, document, _ = told(again, tmp_path)
    assert (code, document["error"]["code"]) == (2, "other_environment")  # type: ignore[index]
    assert "ranks 2, here it is 1" in document["error"]["message"]  # type: ignore[index]
    code, document, _ = told([*again, "--force"], tmp_path)
    assert (code, document["ranks"], document["bit_exact"]) == (0, 1, False)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["a baseline", "a transfer"])
def test_what_one_process_does_is_not_gone_on_with_by_two(
    kind: str, colors: Path, trained: TrainResult, tmp_path: Path
) -> None:
    told_to = {"a baseline": {"model": "knn"}, "a transfer": {"weights": str(trained.run)}}
    recipe = Recipe(size=16, threads=1, baseline=False, scratch=False, **told_to[kind])
    run = train(colors, recipe=recipe, out=tmp_path / "run").run
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()}

    arguments = ["foveal", "train", str(colors), "--resume", str(run), "--force", "--json", "-q"]
    code, document, _ = told([*TORCHRUN, *arguments], tmp_path)

    assert code != 0
    assert f"{kind} is" in document["error"]["message"]  # type: ignore[index]
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()} == before


def test_the_module_runs_as_the_command_does(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-m", "foveal", "--version"]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)

    assert done.stdout.strip()


def test_only_the_first_rank_prints_the_error_document(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "foveal", "train", "nowhere", "--model", "none", "--json"]
    for rank, documents in (("0", 1), ("1", 0)):
        told = {**os.environ, "WORLD_SIZE": "2", "RANK": rank}
        done = subprocess.run(command, cwd=tmp_path, env=told, capture_output=True, text=True, check=False)
        assert done.stdout.count("foveal.error/1") == documents, rank
        assert done.returncode == 2
        assert ("models has no 'none'" in done.stderr) is (rank == "1")

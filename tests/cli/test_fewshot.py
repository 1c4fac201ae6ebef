"""cli.fewshot: one document, all talk on stderr, and clear refusals."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveal.cli._main import run


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, rng = tmp_path_factory.mktemp("kinds"), np.random.default_rng(0)
    for k in range(12):
        (folder / f"kind{k:02d}").mkdir()
        for i in range(5):
            Image.fromarray(rng.integers(0, 255, (16, 16), dtype=np.uint8)).save(
                folder / f"kind{k:02d}/{i}.png"
            )
    return folder


def test_train_and_evaluate_print_one_document_each(kinds: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "run"
    line = ["fewshot", "train", str(kinds), "--way", "3", "--steps", "2", "--size", "16", "--threads", "1"]

    assert run([*line, "--out", str(out), "--json"]) == 0
    trained = json.loads(capsys.readouterr().out)
    assert run(["fewshot", "evaluate", str(out), str(kinds), "--episodes", "9", "--json"]) == 0
    measured = json.loads(capsys.readouterr().out)
    assert run(["fewshot", "evaluate", str(out), str(kinds), "--episodes", "9", "--transductive"]) == 0
    told = capsys.readouterr()

    assert (trained["ok"], trained["schema"], trained["action"]) == (True, "foveal.fewshot/1", "train")
    assert (measured["action"], measured["metrics"]["accuracy"]["n"]) == ("evaluate", 9)
    assert "prototypical networks" in told.out
    assert "all queries of a task seen at once" in told.out
    assert run(["fewshot", "train", str(kinds), "--resume", str(out), "--way", "3"]) == 2
    assert "only --threads may change" in capsys.readouterr().err
    assert run(["fewshot", "train", str(kinds), "--method", "nonsense", "--out", str(tmp_path / "no")]) == 2
    assert "prototypes" in capsys.readouterr().err
    assert run(["fewshot", "evaluate", str(out), str(kinds), "--way", "9"]) == 65

"""What takes no recognizers of clips says so in one sentence, and what there is instead."""

import json
from pathlib import Path

import pytest

import films
from foveal.cli._main import run

pytest.importorskip("av")


def test_explain_refuses_a_recognizer_of_clips_and_says_what_there_is_instead(
    clip_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    film = films.write(tmp_path / "in" / "a.mkv", films.sliding(1, seed=0))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    code = run(["explain", str(clip_bundle), str(film), "--json"])

    error = json.loads(capsys.readouterr().out)["error"]
    assert (code, error["code"]) == (2, "other_task")
    assert error["message"] == "foveal explain is for recognizers of pictures; this one answers for clips"
    assert "--model cnn-frame" in error["hint"]
    assert not list((tmp_path / "here").iterdir())

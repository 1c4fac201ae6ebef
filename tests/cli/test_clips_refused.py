"""What takes no recognizers of clips says so in one sentence, and what there is instead."""

import json
from pathlib import Path

import pytest

import films
from foveal.cli._main import run

pytest.importorskip("av")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve films in the three classes of the bundle of clips."""
    path = tmp_path_factory.mktemp("films") / "films"
    for number in range(12):
        label = ("red", "green", "blue")[number % 3]
        films.write(path / label / f"{'abcd'[number // 3]}.mkv", films.sliding(1, seed=number))
    return path


@pytest.mark.parametrize(
    ("command", "instead"),
    [
        ("certify", "foveal evaluate measures accuracy"),
        ("optimize", "--variant int8"),
        ("explain", "--model cnn-frame"),
    ],
)
def test_a_recognizer_of_clips_is_refused_with_what_there_is_instead(
    command: str,
    instead: str,
    clip_bundle: Path,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = folder if command != "explain" else next(folder.rglob("*.mkv"))

    code = run([command, str(clip_bundle), str(asked), "--json"])

    error = json.loads(capsys.readouterr().out)["error"]
    assert (code, error["code"]) == (2, "other_task")
    assert error["message"] == (
        f"foveal {command} is for recognizers of pictures; this one answers for clips"
    )
    assert instead in error["hint"]
    assert not list(tmp_path.rglob("*"))

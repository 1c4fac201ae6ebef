"""flows.build: one line from pictures to a folder, which goes on where it was stopped and notices changes."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from torch import nn

from foveal.bundle import archive
from foveal.bundle.predictor import Predictor
from foveal.core.errors import DataError, UsageError, WriteError
from foveal.flows import build as builds
from foveal.flows.bench import Terms
from foveal.flows.build import build
from foveal.train.recipe import Recipe

RECIPE = Recipe(epochs=3, size=16, precision="fp32", threads=1)
QUICK = Terms(threads=(1,), seconds=0.2)


@pytest.fixture(autouse=True)
def quick_bench(monkeypatch):
    monkeypatch.setattr(builds, "_TERMS", QUICK)


@pytest.fixture(scope="module")
def built(colors, tmp_path_factory):
    """Return a finished build and its document; for reading only."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(builds, "_TERMS", QUICK)
        out = tmp_path_factory.mktemp("built") / "out"
        return out, build(colors, recipe=RECIPE, out=out)


@pytest.fixture
def copy(built, tmp_path):
    return Path(shutil.copytree(built[0], tmp_path / "out"))


def status(document: dict) -> dict[str, str]:
    return {step["name"]: step["status"] for step in document["steps"]}


def test_the_folder_holds_all_that_is_handed_over(built):
    out, document = built

    assert document["schema"] == "foveal.build/1"
    assert document["ok"] is True
    assert json.loads((out / "build.json").read_text()) == document
    assert [step["name"] for step in document["steps"]] == [
        *("check", "train", "export", "evaluate", "bench", "report")
    ]
    assert Predictor.open(document["bundle"], threads=1).digest == document["digest"]
    assert document["metrics"]["test"]["accuracy"]["n"] == 27
    checked, speed = (json.loads((out / f"{name}.json").read_text()) for name in ("check", "bench"))
    assert checked["schema"] == "foveal.check/1"
    assert speed["schema"] == "foveal.bench/1"
    assert speed["digest"] == document["digest"]
    assert speed["bundle"] == document["bundle"]
    assert document["chosen"] == speed["chosen"]
    page = Path(document["report"]).read_text()
    assert page.index('id="headline"') < page.index('id="speed"') < page.index('id="origin"')
    card = Path(document["card"]).read_text()
    assert card.startswith(archive.read(Path(document["bundle"])).readme.rstrip())
    for sentence in document["verdict"]:
        assert sentence in card
    assert "n=27" in document["verdict"][0]


def own_net(*, channels, classes, size):
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * size**2, classes))


def test_a_network_of_ones_own_goes_on_too(colors, tmp_path):
    def stop(stage: str, done: int, total: int, note: str = "") -> None:
        if stage == "train" and done:
            raise KeyboardInterrupt

    recipe = RECIPE.changed(model=own_net, augment="none", baseline=False)
    with pytest.raises(KeyboardInterrupt):
        build(colors, recipe=recipe, out=tmp_path / "out", progress=stop)

    document = build(colors, recipe=recipe, out=tmp_path / "out")

    assert document["ok"]
    assert status(document)["train"] == "done"


def test_the_same_call_again_does_nothing_again(copy, built, colors):
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*.foveal")}

    document = build(colors, recipe=RECIPE, out=copy)

    assert set(status(document).values()) == {"kept"}
    assert document["digest"] == built[1]["digest"]
    assert {path: path.stat().st_mtime_ns for path in copy.rglob("*.foveal")} == before


@pytest.mark.parametrize(
    ("file", "again"),
    [
        ("check.json", {"check"}),
        ("bench.json", {"bench", "report"}),
        ("colors.foveal", {"report"}),
        ("README.md", {"report"}),
    ],
)
def test_a_file_that_was_changed_is_made_again_and_nothing_else(copy, colors, built, file, again):
    with (copy / file).open("ab") as opened:
        opened.write(b" ")

    document = build(colors, recipe=RECIPE, out=copy)

    assert {name for name, done in status(document).items() if done == "done"} == again
    assert document["digest"] == built[1]["digest"]


def test_a_bundle_that_was_lost_in_the_run_is_exported_again_with_the_same_digest(copy, colors, built):
    (copy / "run" / "colors.foveal").unlink()

    document = build(colors, recipe=RECIPE, out=copy)

    assert status(document)["train"] == status(document)["export"] == "done"
    assert status(document)["check"] == "kept"
    assert document["digest"] == built[1]["digest"]


def test_other_options_are_noticed_and_named(copy, colors):
    with pytest.raises(
        UsageError, match=r"was begun with epochs 3.0 instead of 4.0, seed 0 instead of 1"
    ) as caught:
        build(colors, recipe=RECIPE.changed(epochs=4.0, seed=1), out=copy)

    assert caught.value.code == "other_build"
    assert "--force" in caught.value.hint
    assert json.loads((copy / "build.json").read_text())["ok"] is True, "what was there is as it was"


def test_other_data_are_noticed_and_force_builds_anew(copy, colors, built, tmp_path):
    changed = shutil.copytree(colors, tmp_path / "colors")
    shutil.copy(changed / "red" / "000.png", tmp_path / "saved.png")
    (changed / "red" / "000.png").unlink()
    (copy / "notes.txt").write_text("mine")

    with pytest.raises(DataError, match=r"is not the data that .* was begun with") as caught:
        build(changed, recipe=RECIPE, out=copy)
    assert caught.value.code == "data_changed"
    document = build(changed, recipe=RECIPE, out=copy, force=True)

    assert set(status(document).values()) == {"done"}
    assert document["digest"] != built[1]["digest"]
    assert (copy / "notes.txt").read_text() == "mine"


def test_the_check_stops_it_and_says_why(colors, tmp_path):
    data = shutil.copytree(colors, tmp_path / "colors")
    (data / "red" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")

    with pytest.raises(DataError):
        build(data, recipe=RECIPE, out=tmp_path / "out", strict=True)

    found = json.loads((tmp_path / "out" / "check.json").read_text())
    assert found["ok"] is False
    assert found["findings"]
    assert not (tmp_path / "out" / "run").exists()


def test_an_export_that_decides_differently_ends_it_without_a_bundle(colors, tmp_path, monkeypatch):
    from foveal.export import sealing

    honest = sealing.calibrated
    monkeypatch.setattr(sealing, "calibrated", lambda z, t: honest(z, t)[:, ::-1])

    document = build(colors, recipe=RECIPE, out=tmp_path / "out")

    assert (document["ok"], document["bundle"], document["bench"]) == (False, None, None)
    assert document["gates"][0]["verdict"] == "fail"
    assert Path(document["report"]).is_file()
    assert not list((tmp_path / "out").rglob("*.foveal"))


def test_a_folder_with_something_else_is_left_alone(colors, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")

    with pytest.raises(WriteError, match="is not empty, and holds no build"):
        build(colors, recipe=RECIPE, out=tmp_path / "out", force=True)
    with pytest.raises(WriteError, match="is a file"):
        build(colors, recipe=RECIPE, out=tmp_path / "out" / "thesis.txt")
    with pytest.raises(WriteError, match="only read"):
        build(colors, recipe=RECIPE, out=colors / "out")

    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.txt"]


KILLED = """
import os, signal, sys
from pathlib import Path
from foveal.flows import build as builds
from foveal.flows.bench import Terms
from foveal.train.recipe import Recipe

def kill(stage, done, total, note=""):
    if stage == sys.argv[3] and done >= total / 2:
        os.kill(os.getpid(), signal.SIGKILL)

builds._TERMS = Terms(threads=(1,), seconds=0.2)
recipe = Recipe(epochs=3, size=16, precision="fp32", threads=1)
builds.build(sys.argv[1], recipe=recipe, out=Path(sys.argv[2]), progress=kill)
"""


@pytest.mark.parametrize(
    "stage",
    [
        "train",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("reading files", "reading pictures", "export", "measuring", "timing")
        ),
    ],
)
def test_kill_nine_and_the_same_call_end_in_the_same_bundle(stage, built, colors, tmp_path):
    killed = subprocess.run([sys.executable, "-c", KILLED, colors, tmp_path / "out", stage], check=False)
    assert killed.returncode == -signal.SIGKILL

    document = build(colors, recipe=RECIPE, out=tmp_path / "out")

    assert document["digest"] == built[1]["digest"]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {path.name for path in built[0].iterdir()}

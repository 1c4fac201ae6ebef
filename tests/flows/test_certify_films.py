"""flows.certify on films: real files, the file that ships, and the same document and page as of pictures."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import films
from foveal.bundle import archive
from foveal.certify.attached import attached
from foveal.cli._main import run as command
from foveal.core.errors import NotFoundError, UsageError
from foveal.flows import certify

pytest.importorskip("av")
LIMITS = """
radii = []
l2_radii = []
[limits]
accuracy = 0.01
stream_agreement = 0.5
patch_success = 0.5
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Eight sources of two films each, in three classes, and three of nothing known beside them."""
    folder, rng = tmp_path_factory.mktemp("films"), np.random.default_rng(0)
    for number in range(16):
        name = ("red", "green", "blue")[number // 2 % 3]
        frames = rng.integers(0, 256, (6, 16, 16, 3), dtype=np.uint8)
        films.write(folder / "data" / name / f"source{number // 2}_{number % 2}.mkv", frames)
    for number in range(6):
        path = folder / "unknown" / f"strange{number // 2}_{number % 2}.mkv"
        films.write(path, films.counting(4 + number))
    (folder / "limits.toml").write_text(LIMITS, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def certified(clip_bundle, folder):
    """A certificate of a copy of the bundle, attached to it; for reading only."""
    bundle = folder / "clips.foveal"
    shutil.copy(clip_bundle, bundle)
    terms = certify.Terms(
        "smoke", folder / "limits.toml", unknown=(folder / "unknown",), attach=True, threads=1
    )
    return bundle, certify.run(bundle, folder / "data", terms, out=folder / "out")


def test_the_document_counts_films_one_of_each_source(certified):
    document = certified[1].document

    assert (document["schema"], document["task"]) == ("foveal.certify/1", "video")
    assert (document["data"]["available"], document["data"]["independent"]) == (16, 8)
    assert document["data"]["roles"]["test"]["images"] == 8
    assert document["unknown"] == {"images": 3}


def test_what_was_not_measured_has_not_passed(certified):
    gates = {gate["id"]: gate for gate in certified[1].document["gates"]}

    assert gates["stream_agreement"]["value"]["value"] == 1
    assert gates["patch_success"]["verdict"] == "insufficient"
    assert "single pictures" in gates["patch_success"]["note"]
    assert gates["attack_flags"]["value"] is None  # there is no torch network beside this file
    assert certified[1].document["verdict"] == "insufficient"


def test_the_page_says_films_and_shows_middle_frames(certified):
    page = Path(certified[1].document["page"]).read_text(encoding="utf-8")

    assert "8 films (all)" in page
    assert "answers for films" in page
    assert "Films: test" in page
    assert page.count("data:image") > 20


def test_the_bundle_keeps_its_digest_and_shows_the_certificate(certified, clip_bundle, capsys):
    bundle, found = certified
    members = archive.read(bundle)

    assert members.manifest.digest == archive.read(clip_bundle).manifest.digest
    assert attached(members.certificate)["images"] == 8
    assert command(["info", str(bundle), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["certificate"]["id"] == found.document["id"]


def test_the_command_tells_films(clip_bundle, folder, tmp_path, capsys):
    arguments = ["certify", str(clip_bundle), str(folder / "data"), "--level", "smoke", "--no-attach", "-q"]
    arguments += ["--profile", str(folder / "limits.toml"), "--out", str(tmp_path / "out")]

    assert command(arguments) == 0
    told = capsys.readouterr().out
    assert "on           8 films (all)" in told
    assert "films that are named alike whole and frame by frame: 100.0 %" in told


def test_pictures_are_no_films(clip_bundle, folder, colors, tmp_path):
    quiet = certify.Terms("smoke", folder / "limits.toml", attach=False, threads=1)
    with pytest.raises(UsageError, match=r"takes clips, and .* holds pictures"):
        certify.run(clip_bundle, colors, quiet, out=tmp_path / "a")

    strange = certify.Terms("smoke", folder / "limits.toml", unknown=(colors,), attach=False, threads=1)
    with pytest.raises(NotFoundError, match="no film in"):
        certify.run(clip_bundle, folder / "data", strange, out=tmp_path / "b")
    assert not (tmp_path / "b").exists()

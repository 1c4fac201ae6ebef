"""foveal info: the manifest, after everything about it was checked."""

import json

import PIL
import pytest

from foveal.bundle import archive
from foveal.bundle.predictor import Predictor
from foveal.cli._main import run


def test_json_holds_the_manifest_and_the_verification(bundle, capsys) -> None:
    assert run(["info", str(bundle), "--json"]) == 0

    document = json.loads(capsys.readouterr().out)
    manifest = archive.read(bundle).manifest.as_json()
    assert document["schema"] == "foveal.info/1"
    assert document["bundle_schema"] == manifest.pop("schema") == "foveal.bundle/1"
    assert manifest.items() <= document.items()
    assert document["ok"] is True
    assert document["verified"] is True
    assert document["size_bytes"] == bundle.stat().st_size
    assert document["report"] is False
    assert document["engine"].startswith("onnxruntime ")


def test_people_get_it_line_by_line(bundle, capsys) -> None:
    assert run(["info", str(bundle.parent)]) == 0

    out = capsys.readouterr().out
    digest = Predictor.open(bundle).digest
    assert f"digest    {digest}" in out
    assert "classes   3: red, green, blue" in out
    assert "input     16 × 16 × 3, pillow" in out
    assert "declines  below 0.6000, for at most 1.0% wrong answers" in out
    assert (
        "sets      made to hold the truth in 90% of cases; in at least 87.7% with 95% certainty (n=500)"
        in out
    )
    assert "report    none" in out
    assert "monitor   nothing: what its calibration pictures looked like was not kept" in out


def test_what_a_monitor_compares_is_told_with_the_number_of_pictures(make_bundle, tmp_path, capsys) -> None:
    kept = {
        "doubt": [0.1, 0.2, 0.3],
        "rejected": {"count": 2, "n": 40},
        "quality": {"contrast": {"low": 1.0, "high": 2.0, "below": 0, "above": 1, "n": 41}},
    }
    decision = {
        "abstain": {"threshold": 0.6, "risk": 0.01, "delta": 0.05, "n": 500},
        "conformal": {"alpha": 0.1, "quantile": 0.7, "n": 500},
        "monitor": kept,
    }

    assert run(["info", str(make_bundle(tmp_path / "watched.foveal", decision=decision))]) == 0

    said = "confidence (n=3), declined pictures (n=40), picture quality (n=41)"
    assert f"monitor   {said}: foveal predict --monitor compares them" in capsys.readouterr().out


def test_what_could_not_be_proven_and_an_attached_report_are_told(make_bundle, tmp_path, capsys) -> None:
    decision = {
        "abstain": {"threshold": None, "risk": 0.01, "delta": 0.05, "n": 3},
        "conformal": {"alpha": 0.1, "quantile": None, "n": 3},
    }
    path = make_bundle(
        tmp_path / "few.foveal",
        decision=decision,
        classes=["[red]red", "\x1b[31m", "blue"],
        preprocess={"size": 16, "channels": 3, "mean": [0] * 3, "std": [1] * 3, "decoder": "pillow 1.0"},
    )
    archive.attach_report(path, {"digest": archive.read(path).manifest.digest})

    assert run(["info", str(path)]) == 0

    out = capsys.readouterr().out
    assert "declines  never: no threshold could be proven" in out
    assert "sets      all classes: too few calibration images" in out
    assert r"[red]red, \x1b[31m, blue" in out
    assert "report    attached" in out
    assert f"pillow 1.0 (here pillow {PIL.__version__})" in out


@pytest.mark.parametrize("position", [100, 1000, -5])
def test_damaged_bundle_is_never_called_verified(bundle, tmp_path, capsys, position) -> None:
    content = bytearray(bundle.read_bytes())
    content[position] ^= 4
    (tmp_path / "bad.foveal").write_bytes(content)

    assert run(["info", str(tmp_path / "bad.foveal"), "--json"]) == 65

    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is False
    assert document["error"]["code"] == "tampered"
    assert "verified" not in document


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        (
            {"method": "raps", "penalty": 0.1},
            "90% of cases; in at least 87.7% with 95% certainty (raps, n=500)",
        ),
        (
            {"method": "aps", "delta": 0.1},
            "hold the truth in at least 90% of cases with 90% certainty (aps, n=500)",
        ),
        (
            {"method": "mondrian", "quantiles": [0.7, 0.2, None], "counts": [400, 95, 5]},
            "made to hold the truth in 90% of the cases of each class (mondrian, n=500)",
        ),
    ],
)
def test_kinds_of_sets_are_told_apart(make_bundle, tmp_path, capsys, entries, said) -> None:
    decision = {
        "abstain": {"threshold": None, "risk": 0.01, "delta": 0.05, "n": 500},
        "conformal": {"alpha": 0.1, "quantile": 0.7, "n": 500, **entries},
    }
    path = make_bundle(tmp_path / "sets.foveal", decision=decision)

    assert run(["info", str(path)]) == 0
    assert said in capsys.readouterr().out

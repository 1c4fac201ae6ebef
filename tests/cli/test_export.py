"""`foveal export`: the exit codes; what it does is tested with its flow."""

import json

import pytest

from foveal.cli._main import run


@pytest.mark.parametrize(
    ("options", "code", "error"),
    [
        (["--variant", "int7"], 2, "unknown_variant"),
        ([], 66, "not_found"),
        (["--device", "cuda:0"], 69, "no_device"),
    ],
)
def test_errors_are_one_document(tmp_path, options, code, error, capsys):
    arguments = ["export", str(tmp_path), "--out", str(tmp_path / "a.foveal"), "--json", *options]

    assert run(arguments) == code

    assert json.loads(capsys.readouterr().out)["error"]["code"] == error
    assert list(tmp_path.iterdir()) == []


def test_without_a_place_it_is_usage(tmp_path, capsys):
    assert run(["export", str(tmp_path)]) == 2

    assert "--out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("gate", "variant", "says", "says_not"),
    [
        ("parity", "fp32", "does not decide as the network", "optimize"),
        ("flips", "int8", "of the answers changed, at most 0.5% may; --variant mixed", "--openvino"),
        ("flips", "int4", "foveal optimize runs/last makes", "--variant mixed"),
        ("openvino", "fp32", "leave --openvino out", "optimize"),
    ],
)
def test_a_failed_gate_says_what_to_do(gate, variant, says, says_not, monkeypatch, tmp_path, capsys):
    flips = {"value": 0.01, "low": 0.0, "high": 0.02, "n": 500, "method": "clopper-pearson"}
    parity = {
        "max_abs_difference": 0.1,
        "decision_flips": flips,
        "clear_flips": 5,
        "images": 500,
        "unit": "pictures",
    }

    class Result:
        def as_json(self):
            gates = [{"id": gate, "verdict": "fail", "limit": 0.005}]
            form = {"size_bytes": None, "parity": parity} if gate == "openvino" else None
            told = {"variant": variant, "parity": parity, "openvino": form, "gates": gates}
            return {"ok": False, "run": "runs/last", "bundle": None, "members": [], "dropout": None, **told}

    monkeypatch.setattr("foveal.flows.export.export", lambda *places, **options: Result())

    assert run(["export", "runs/last", "--out", str(tmp_path / "a.foveal")]) == 10

    told = " ".join(capsys.readouterr().out.split())
    assert says in told
    assert says_not not in told
    assert "no bundle was written" in told
    assert "members" not in told
    assert told.count("500 images of calibration and test") == (2 if gate == "openvino" else 1)


@pytest.mark.parametrize(("unproven", "said"), [(["flips"], True), ([], False)])
def test_a_gate_that_few_pictures_passed_is_said_with_its_interval_and_n(
    unproven, said, monkeypatch, tmp_path, capsys
):
    flips = {"value": 0.0, "low": 0.0, "high": 0.088, "n": 40, "method": "clopper-pearson"}
    parity = {
        "max_abs_difference": 0.1,
        "decision_flips": flips,
        "clear_flips": 0,
        "images": 40,
        "unit": "pictures",
    }

    class Result:
        def as_json(self):
            gates = [{"id": "flips", "verdict": "pass", "limit": 0.005}]
            told = {"variant": "int8", "parity": parity, "openvino": None, "gates": gates}
            told |= {"size_bytes": 1000, "digest": "4c0f", "unproven": unproven}
            told |= {"members": ["runs/b", "runs/c"], "dropout": {"share": 0.2, "masks": 4}}
            return {"ok": True, "run": "runs/last", "bundle": "a.foveal", **told}

    monkeypatch.setattr("foveal.flows.export.export", lambda *places, **options: Result())

    assert run(["export", "runs/last", "--out", str(tmp_path / "a.foveal")]) == 0

    told = " ".join(capsys.readouterr().out.split())
    assert ("at most 0.5% of the answers change: the interval reaches to 8.8% (n=40)" in told) is said
    assert "95% interval 0.0% to 8.8%, n=40" in told
    assert "members runs/last, runs/b, runs/c: their probabilities are averaged" in told
    assert "masks 4 of each network, each without 20% of its last features" in told

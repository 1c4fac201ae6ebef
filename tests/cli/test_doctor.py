"""`foveal doctor`: ends well whatever it finds, and says how to mend it."""

import json

from foveal.bundle.bandwidth import Level
from foveal.bundle.roofline import Peak, Roofline
from foveal.cli._main import run
from foveal.core import extras
from foveal.flows import doctor as flow


def test_json_is_one_document_with_the_keys_of_the_contract(capsys):
    assert run(["doctor", "--quick", "--json"]) == 0

    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "foveal.doctor/1"
    assert {"python", "foveal", "cpu", "memory", "engines", "torch", "extras", "problems"} <= document.keys()


def test_the_limits_of_the_machine_are_measured_when_asked_for(capsys, monkeypatch):
    found = Roofline((Peak("int8", 2, "an engine", 2e11, 0.1, 9),), (Level("memory", 2, None, 3e10, 0.2),))
    monkeypatch.setattr(flow, "roofline", lambda: found)

    assert run(["doctor", "--quick", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["roofline"] is None
    assert run(["doctor", "--quick", "--roofline", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["roofline"]["peaks"][0]["macs_per_second"] == 2e11
    assert run(["doctor", "--quick", "--roofline"]) == 0
    out = capsys.readouterr().out
    assert "200 G multiply-adds/s" in out
    assert "30 GB/s" in out


def test_each_part_has_a_line_and_each_problem_a_hint(capsys, monkeypatch):
    monkeypatch.setattr(extras, "find_spec", lambda name: None)

    assert run(["doctor", "--quick"]) == 0

    out = capsys.readouterr().out
    for part in (
        "python",
        "foveal",
        "cpu",
        "memory",
        "disk",
        "engines",
        "torch",
        "figures",
        "extras",
        "text",
    ):
        assert f"  {part:<9}" in out
    assert "mind  extras   train missing" in out
    assert '→ pip install "foveal[train]"' in out
    assert "engines  onnxruntime 1." in out
    assert " in fp32, load and first run " in out

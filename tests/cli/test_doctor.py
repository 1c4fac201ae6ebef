"""`foveal doctor`: ends well whatever it finds, and says how to mend it."""

import json

from foveal.cli._main import run
from foveal.core import extras


def test_json_is_one_document_with_the_keys_of_the_contract(capsys):
    assert run(["doctor", "--quick", "--json"]) == 0

    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "foveal.doctor/1"
    assert {"python", "foveal", "cpu", "memory", "engines", "torch", "extras", "problems"} <= document.keys()


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

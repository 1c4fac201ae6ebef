"""`foveal demo`: arguments reach the flow, the result reaches the person, names stay text."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from foveal.cli._main import run
from foveal.flows import demo as flow


@pytest.fixture
def finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Replace the flow and what is printed; return what the flow was asked for."""
    asked: dict[str, Any] = {}
    asked["result"] = SimpleNamespace(document={"schema": "foveal.demo/1", "ok": True})

    def demo(name: str | None, **arguments: Any) -> Any:
        asked.update(name=name, **arguments)
        return asked["result"]

    monkeypatch.setattr(flow, "demo", demo)
    monkeypatch.setattr("foveal.cli.demo.show", lambda console, result: console.print(result.document))
    return asked


def test_options_reach_the_flow(finished: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["demo", "here", "--data", "digits", "--time", "90s", "--seed", "3", "--json"])

    assert code == 0
    assert (finished["name"], finished["folder"]) == ("digits", Path("here"))
    assert (finished["recipe"].time_seconds, finished["recipe"].seed) == (90.0, 3)
    assert json.loads(capsys.readouterr().out) == {"schema": "foveal.demo/1", "ok": True}


def test_without_options_the_flow_decides(
    finished: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["demo"]) == 0

    assert (finished["name"], finished["folder"], finished["out"]) == (None, None, None)
    assert (finished["recipe"].time_seconds, finished["recipe"].epochs) == (None, None)
    assert "foveal.demo/1" in capsys.readouterr().out


def test_failed_gate_exits_with_10(finished: dict[str, Any]) -> None:
    finished["result"].document["ok"] = False

    assert run(["demo", "-q"]) == 10

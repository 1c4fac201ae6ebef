"""models --recommend: what is fast enough here, measured before anything is trained."""

import json
from pathlib import Path

import pytest

from foveal import models
from foveal.cli._main import run
from foveal.core import catalog
from foveal.core.errors import UsageError
from foveal.flows import recommend as module
from foveal.flows.recommend import Wanted, recommend
from foveal.models._cost import cost


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two networks are enough to rank; a large one takes many seconds to export."""
    names = ["nano", "small_conv", "svm_hog"]
    monkeypatch.setattr(module.models, "names", lambda: names)
    return names


def test_networks_are_ranked_by_what_was_measured(few: list[str], colors: Path) -> None:
    found = recommend(colors, Wanted(size=32))["recommend"]

    assert {row["name"] for row in found["models"]} == {"nano", "small-conv"}, "no baseline"
    medians = [row["latency_ms"]["value"] for row in found["models"]]
    assert medians == sorted(medians)
    for row in found["models"]:
        p50 = row["latency_ms"]
        assert 0 < p50["low"] <= p50["value"] <= p50["high"]
        assert p50["n"] >= 11
        counted = cost(
            catalog.written(row["name"]), size=32, channels=found["channels"], classes=found["classes"]
        )
        assert (row["macs"], row["parameters"]) == (counted.macs, counted.parameters)
        assert row["size_bytes"] > 3.9 * row["parameters"], "norms may be folded"
        assert row["fits"]
    assert found["chosen"] == "nano"
    assert found["next"] == [f"foveal train {colors} --model nano", f"foveal train {colors} --transfer"]


def test_what_cannot_be_fast_enough_is_not_measured_and_nothing_is_chosen(
    few: list[str], colors: Path
) -> None:
    document = recommend(colors, Wanted(latency_seconds=1e-9, size=64))

    found = document["recommend"]
    assert not document["ok"]
    assert found["next"] == []
    assert found["chosen"] is None
    assert all(row["fits"] is False and row["latency_ms"] is None for row in found["models"])
    assert all("multiply-adds" in row["why_not_measured"] for row in found["models"])


def test_the_slowest_that_is_fast_enough_is_chosen_where_nano_is_not_there(
    monkeypatch: pytest.MonkeyPatch, colors: Path
) -> None:
    monkeypatch.setattr(module.models, "names", lambda: ["small_conv", "v4_lif"])

    found = recommend(colors, Wanted(latency_seconds=10.0, size=32))["recommend"]

    assert found["chosen"] == found["models"][-1]["name"]


def test_the_time_leaves_out_the_most_expensive_and_says_so(few: list[str], colors: Path) -> None:
    found = recommend(colors, Wanted(size=32, seconds=0.0))["recommend"]

    measured = [row for row in found["models"] if row["latency_ms"]]
    assert [row["name"] for row in measured] == ["nano"], "one always is"
    left = [row for row in found["models"] if not row["latency_ms"]]
    assert [row["macs"] for row in left] == sorted(row["macs"] for row in left)
    assert all("--time" in row["why_not_measured"] and row["fits"] is None for row in left)


def test_pictures_that_no_network_takes_are_refused(few: list[str], colors: Path) -> None:
    with pytest.raises(UsageError) as caught:
        recommend(colors, Wanted(size=8))

    assert caught.value.code == "too_small"


@pytest.mark.slow
def test_every_network_that_takes_the_size_is_looked_at(
    colors: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = recommend(colors, Wanted(latency_seconds=1e-12, size=32))["recommend"]

    cards = {name: models.card(name) for name in models.names()}
    expected = [
        name
        for name, card in cards.items()
        if (card.kind, card.task) == ("network", "classify") and card.smallest_size <= 32
    ]
    assert sorted(row["name"] for row in found["models"]) == sorted(map(catalog.spoken, expected))


def test_the_command_prints_the_document_and_its_verdict(
    few: list[str], colors: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["models", "--recommend", str(colors), "--size", "32"]

    assert run([*line, "--max-latency", "10s", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["recommend"]["max_latency_ms"] == 10_000
    assert run([*line, "--max-latency", "0.000001ms"]) == 10
    assert "none is fast enough" in capsys.readouterr().out
    assert run([*line]) == 0
    assert f"next: foveal train {colors} --model nano" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("line", [["--max-latency", "5ms"], ["--cost", "nano", "--recommend", "x"]])
def test_options_that_make_no_sense_together_are_refused(line: list[str]) -> None:
    assert run(["models", *line]) == 2

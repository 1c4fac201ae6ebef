"""flows.train with networks that decide in time: parity holds, the page shows the curve."""

from pathlib import Path

import pytest

from foveal.flows.train import train
from foveal.train.recipe import Recipe


@pytest.mark.parametrize(
    ("model", "steps"),
    [
        ("v4_lif", 16),
        pytest.param("v4_lif_current", 16, marks=pytest.mark.slow),
        pytest.param("spiking_cnn", 4, marks=pytest.mark.slow),
    ],
)
def test_a_training_measures_the_course_of_the_answers(
    model: str, steps: int, colors: Path, tmp_path: Path
) -> None:
    recipe = Recipe(model=model, epochs=6, size=16, precision="fp32", threads=1, baseline=False)

    result = train(colors, recipe=recipe, out=tmp_path / "run")

    found = result.document["over_time"]
    assert result.bundle is not None, "network and file answer alike"
    assert result.document["parity"]["max_abs_difference"] < 1e-5
    assert found["steps"] == steps
    assert len(found["accuracy"]["first_spike"]) == steps
    # At the end the potential orders the classes as the file does.
    assert found["accuracy"]["potential"][-1] == result.document["metrics"]["test"]["accuracy"]
    page = result.report.read_text(encoding="utf-8")
    assert page.count('id="over-time"') == 1
    assert page.index('id="over-time"') < page.index('<section id="origin"')
    assert (result.run / "figures" / "over_time.svg").is_file()
    assert (
        len((result.run / "figures" / "over_time.csv").read_text(encoding="utf-8").splitlines()) == steps + 1
    )


@pytest.mark.slow
@pytest.mark.parametrize("model", ["row_gru", "row_lstm_both"])
def test_readers_of_rows_pass_the_parity_gate_once_trained(model: str, colors: Path, tmp_path: Path) -> None:
    recipe = Recipe(model=model, epochs=10, size=16, precision="fp32", threads=1, baseline=False)

    result = train(colors, recipe=recipe, out=tmp_path / "run")

    assert result.bundle is not None
    assert result.document["parity"]["max_abs_difference"] < 1e-5
    assert result.document["metrics"]["test"]["accuracy"]["value"] > 0.6
    assert result.document["over_time"] is None, "it answers at once"
    assert "over-time" not in result.report.read_text(encoding="utf-8")

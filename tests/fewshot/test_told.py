"""What a person is told of the number of pictures that were left out."""

from pathlib import Path

import pytest

from foveal.cli._main import run


@pytest.mark.parametrize("head", ["auto", "ridge"])
def test_a_number_that_chose_its_own_head_is_called_too_good(
    few: Path, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], head: str
) -> None:
    out = tmp_path / "run"
    assert run(["fewshot", "teach", str(bundle), str(few), "--head", head, "--out", str(out), "-q"]) == 0
    page = (out / "report.html").read_text("utf-8")
    for told in (capsys.readouterr().out, page):
        assert "n=24)" in told
        assert ("a little too good" in told) == (head == "auto")

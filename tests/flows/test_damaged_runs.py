"""flows.train.resume: a damaged file of a run is named; it is no bug, and nothing is done over it."""

import shutil
from pathlib import Path

import pytest

from foveal.core.errors import DataError
from foveal.flows.train import resume


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("plan.json", "{"),
        ("plan.json", '{"model": "nano"}'),
        ("env.json", "[]"),
        ("command.json", '{"name": "a", "unknown": 1}'),
        ("split.json", "[]"),
        ("findings.json", '[{"code": 1}]'),
        ("baseline.json", "3"),
    ],
)
def test_a_damaged_file_of_a_run_is_named_and_nothing_is_done_over_it(trained, colors, tmp_path, name, text):
    run = Path(shutil.copytree(trained.run, tmp_path / "run"))
    (run / name).write_text(text)

    with pytest.raises(DataError, match=rf"{name} is damaged: ") as caught:
        resume(run, colors)

    assert caught.value.code in ("damaged", "bad_split")
    assert caught.value.hint
    assert (run / name).read_text() == text

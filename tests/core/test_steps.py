"""flows._steps: a step is kept by what it depends on and what it made, not because a file is there."""

import json

import pytest

from foveal.core.errors import DataError
from foveal.core.steps import Steps, Stopwatch, digest


@pytest.fixture
def carry_out(tmp_path):
    """Carry a step out in a fresh object, as a new process would; return whether it was kept."""

    def do(of: dict, content: str = "made") -> bool:
        def work() -> list[str]:
            (tmp_path / "file").write_text(content)
            return ["file"]

        steps = Steps(tmp_path, "steps.json")
        steps.carry_out("one", of, work)
        return "one" in steps.kept

    return do


def test_it_is_kept_until_what_it_depends_on_changes(carry_out):
    assert [carry_out(of) for of in ({"a": 1}, {"a": 1}, {"a": 2}, {"a": 2})] == [False, True, False, True]


@pytest.mark.parametrize("change", ["unlink", "write"])
def test_it_is_done_again_when_its_file_is_gone_or_changed(carry_out, tmp_path, change):
    carry_out({})
    (tmp_path / "file").unlink() if change == "unlink" else (tmp_path / "file").write_text("changed")

    assert not carry_out({})
    assert (tmp_path / "file").read_text() == "made"
    assert carry_out({})


@pytest.mark.parametrize("text", ["", "[]", "{", '{"one": {"nothing": 1}}', '{"one": 3}'])
def test_a_damaged_record_is_an_error_and_nothing_is_done_over_it(carry_out, tmp_path, text):
    (tmp_path / "steps.json").write_text(text)

    with pytest.raises(DataError, match="is damaged") as caught:
        carry_out({})

    assert caught.value.code == "bad_steps"
    assert not (tmp_path / "file").exists()
    assert (tmp_path / "steps.json").read_text() == text


def test_work_that_fails_is_not_written_down(tmp_path):
    def fails() -> list[str]:
        raise KeyboardInterrupt

    steps = Steps(tmp_path, "steps.json")
    with pytest.raises(KeyboardInterrupt):
        steps.carry_out("one", {}, fails)

    assert not (tmp_path / "steps.json").exists()


def test_parts_and_seconds_are_written_down(tmp_path):
    steps = Steps(tmp_path, "steps.json")
    steps.carry_out("one", {}, list, parts=lambda: {"train": 1.5})

    found = Steps(tmp_path, "steps.json")
    again = found["one"]
    assert (again.parts, again.made) == ({"train": 1.5}, {})
    assert "one" in found
    assert "two" not in found
    assert json.loads((tmp_path / "steps.json").read_text())["one"]["of"] == digest({})


def test_the_time_between_two_calls_belongs_to_the_stage_of_the_second(monkeypatch):
    times = iter([0.0, 2.0, 5.0, 6.0])
    monkeypatch.setattr("foveal.core.steps.time.monotonic", lambda: next(times))
    told = []
    watch = Stopwatch(lambda *given: told.append(given), lambda stage: "a" if stage == "x" else "b")

    for stage in ("x", "y", "x"):
        watch(stage, 1, 2, "note")

    assert watch.seconds == {"a": 3.0, "b": 3.0}
    assert told[0] == ("x", 1, 2, "note")

"""The one file with all rows: whole, right, and nobody else's."""

import os
import subprocess
import sys

import pytest

from job_rows import told


def test_a_file_that_is_there_is_left_alone(batch, collection, tmp_path) -> None:
    (tmp_path / "rows.jsonl").write_text("mine")

    first = batch(collection, "--out", tmp_path / "rows.jsonl")

    assert (first.returncode, told(first)["error"]["code"]) == (73, "would_overwrite")
    assert (tmp_path / "rows.jsonl").read_text() == "mine"


def test_a_file_that_somebody_changed_is_left_alone(batch, collection, tmp_path) -> None:
    line = (collection, "--out", tmp_path / "rows.jsonl")
    assert batch(*line).returncode == 0
    with (tmp_path / "rows.jsonl").open("a") as file:
        file.write("mine")

    assert told(batch(*line))["error"]["code"] == "would_overwrite"
    (tmp_path / "rows.jsonl").unlink()
    assert batch(*line).returncode == 0
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == 24


@pytest.mark.parametrize(
    "place",
    [
        *(f"batch.join.{step}:{how}" for step in ("write", "sync") for how in ("kill", "full")),
        "batch.join.write:torn",
        *(f"batch.joined.{step}:{how}" for step in ("rename", "sync") for how in ("kill", "broken")),
    ],
)
def test_a_fault_while_it_is_written_costs_nothing(batch, collection, tmp_path, place) -> None:
    line = (collection, "--shard-size", 6, "--out")
    assert batch(*line, tmp_path / "whole.jsonl").returncode == 0

    hit = batch(*line, tmp_path / "hit.jsonl", failpoints=f"{place}@1")
    there = (tmp_path / "hit.jsonl").exists()
    if there:
        assert (tmp_path / "hit.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    again = batch(*line, tmp_path / "hit.jsonl")

    assert hit.returncode in (-9, 73)
    assert again.returncode == 0, again.stdout
    assert (tmp_path / "hit.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_a_part_that_was_damaged_is_not_joined(batch, collection, tmp_path) -> None:
    line = (collection, "--shard-size", 6, "--out", tmp_path / "rows.jsonl")
    assert batch(*line).returncode == 0
    part = tmp_path / "rows.jsonl.job" / "parts" / "part-000002.jsonl"
    part.write_bytes(part.read_bytes()[:-9])
    (tmp_path / "rows.jsonl").unlink()

    result = batch(*line)

    assert (result.returncode, told(result)["error"]["code"]) == (65, "part_damaged")
    assert not (tmp_path / "rows.jsonl").exists()


def test_a_share_that_was_killed_before_it_gave_rows_their_name_is_mended(
    batch, collection, tmp_path
) -> None:
    line = (collection, "--shard-size", 4, "--out", tmp_path / "rows.jsonl")
    share = (*line, "--shard-count", 2, "--shard-index")
    assert batch(*share, 0).returncode == 0
    assert batch(*share, 1, failpoints="batch.publish.rename:kill@3").returncode == -9  # its last shard

    joined = batch(*line)

    assert (joined.returncode, told(joined)["images"]) == (0, 24)
    assert batch(collection, "--shard-size", 4, "--out", tmp_path / "alone.jsonl").returncode == 0
    assert (tmp_path / "rows.jsonl").read_bytes() == (tmp_path / "alone.jsonl").read_bytes()


def test_only_one_process_at_a_time_runs_or_joins(batch, collection, tmp_path) -> None:
    fcntl = pytest.importorskip("fcntl")
    line = (collection, "--out", tmp_path / "rows.jsonl")
    assert batch(*line).returncode == 0
    (tmp_path / "rows.jsonl").unlink()

    with (tmp_path / "rows.jsonl.job" / "job.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        refused = batch(*line)

    assert refused.returncode == 75
    assert not (tmp_path / "rows.jsonl").exists()
    assert batch(*line).returncode == 0


@pytest.mark.parametrize("how", ["full", "gone"])
def test_progress_that_nobody_takes_ends_no_job(bundle, collection, tmp_path, how) -> None:
    if how == "full":
        stderr = os.open("/dev/full", os.O_WRONLY)
    else:
        reading, stderr = os.pipe()
        os.close(reading)
    line = [sys.executable, "-m", "foveal", "batch", bundle, collection, "--once"]

    ended = subprocess.run(
        list(map(str, [*line, "--out", tmp_path / "rows.jsonl"])),
        stdout=subprocess.PIPE,
        stderr=stderr,
        check=False,
    )
    os.close(stderr)

    assert ended.returncode == 0
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == 24


def test_a_folder_of_that_name_is_left_alone(batch, collection, tmp_path) -> None:
    (tmp_path / "rows.jsonl").mkdir()

    result = batch(collection, "--out", tmp_path / "rows.jsonl")

    assert (result.returncode, told(result)["error"]["code"]) == (73, "would_overwrite")
    assert not (tmp_path / "rows.jsonl.job").exists()


@pytest.mark.parametrize("text", ['{"half', "[1, 2]", ""])
def test_a_damaged_note_of_what_was_written_is_told(batch, collection, tmp_path, text) -> None:
    line = (collection, "--out", tmp_path / "rows.jsonl")
    assert batch(*line).returncode == 0
    note = tmp_path / "rows.jsonl.job" / "joined.json"
    note.write_text(text)

    result = batch(*line)

    assert (result.returncode, told(result)["error"]["code"]) == (65, "damaged")
    note.unlink()  # as the hint says
    (tmp_path / "rows.jsonl").rename(tmp_path / "old.jsonl")
    assert batch(*line).returncode == 0
    assert (tmp_path / "rows.jsonl").read_bytes() == (tmp_path / "old.jsonl").read_bytes()

"""What is named, and where: nothing of another folder, nothing twice, nothing written into it."""

import json
import shutil
import subprocess
import sys

import pytest

from foveal.batch.listing import Named, normal
from foveal.data import listing
from job_rows import rows, told


@pytest.fixture
def batch_in(bundle, tmp_path):
    """Run `foveal batch BUNDLE …` in a folder of `tmp_path`; for people where `human` is set."""

    def run(folder, *arguments, stdin="", human=False):
        line = [sys.executable, "-m", "foveal", "batch", bundle, *arguments, *([] if human else ["--json"])]
        return subprocess.run(
            list(map(str, [*line, "-q"])),
            capture_output=True,
            text=True,
            input=stdin,
            check=False,
            cwd=tmp_path / folder,
        )

    return run


@pytest.fixture
def two(collection, tmp_path):
    """Folders `a` and `b` with an `x.jpg` each, which are different pictures."""
    for name, number in (("a", 0), ("b", 1)):
        (tmp_path / name).mkdir()
        shutil.copy(collection / f"{number:02}.jpg", tmp_path / name / "x.jpg")


@pytest.mark.parametrize("more", [(), ("--refresh",)])
def test_a_list_of_relative_names_is_of_the_folder_where_the_job_began(batch_in, two, tmp_path, more) -> None:
    line = ("-", "--out", tmp_path / "job", *more)
    assert batch_in("a", *line, stdin="x.jpg\n").returncode == 0

    elsewhere = batch_in("b", *line, stdin="x.jpg\n")
    same = batch_in("a", *line, stdin="x.jpg\n")

    assert (elsewhere.returncode, told(elsewhere).get("error", {}).get("code")) == (2, "other_job")
    assert (same.returncode, told(same)["done"]) == (0, 1)


def test_a_list_of_absolute_names_means_the_same_everywhere(batch_in, two, tmp_path) -> None:
    line = ("-", "--out", tmp_path / "job")
    assert batch_in("a", *line, stdin=f"{tmp_path}/a/x.jpg\n").returncode == 0

    assert batch_in("b", *line, stdin=f"{tmp_path}/a/x.jpg\n").returncode == 0


@pytest.mark.parametrize("text", ["-", "pictures/*", "pict*/*.jpg", "**", "li*", "pictures/job/x/*"])
def test_nothing_is_written_where_a_list_or_a_pattern_looks(batch, collection, text) -> None:
    (collection / "job" / "x").mkdir(parents=True)
    shutil.copy(collection / "00.jpg", collection / "job" / "x")
    (collection.parent / "link").symlink_to("pictures")
    out = "pictures/job" if "x" in text else "pictures/new"

    result = batch(text, "--out", out, stdin="pictures\n")

    assert (result.returncode, told(result)["error"]["code"]) == (
        73,
        "would_overwrite" if "x" in text else "inside_data",
    )
    assert not (collection / "new").exists()
    assert [path.name for path in (collection / "job").iterdir()] == ["x"]


def test_a_pattern_that_cannot_mean_the_job_lets_it_lie_beside(batch, collection) -> None:
    result = batch("pictures/0*.jpg", "--out", "pictures/rows.jsonl")

    assert (result.returncode, told(result)["images"]) == (0, 10), result.stdout


def test_what_is_below_a_folder_that_a_pattern_matches_is_answered_or_left_out(batch, collection) -> None:
    (collection / "inner").mkdir()
    (collection / "inner" / "notes.txt").write_text("mine")
    (collection / "inner" / "list.csv").write_text("path\n../00.jpg\n")

    result = batch("pictures/**", "--out", "job")

    assert (result.returncode, told(result)["images"]) == (0, 24), result.stdout
    assert told(result)["left_out"] == {"hidden": 0, "no_picture": 2}
    (collection / "inner" / "list.csv").write_text("path\n../01.jpg\n")
    assert batch("pictures/**", "--out", "job").returncode == 0, "it was not read"


@pytest.mark.parametrize("inputs", [("",), ("pictures", "")])
def test_an_empty_argument_is_no_folder(batch, collection, tmp_path, inputs) -> None:
    result = batch(*inputs, "--out", "job")

    assert (result.returncode, told(result)["error"]["code"]) == (2, "usage")
    assert not (tmp_path / "job").exists()


@pytest.mark.parametrize(
    ("text", "stdin"), [("pictures", ""), ("-", "pictures"), ("pict*", "")], ids=["folder", "list", "pattern"]
)
def test_a_folder_that_was_emptied_is_told_as_removals(batch, collection, tmp_path, text, stdin) -> None:
    line = (text, "--out", "job")
    assert batch(*line, stdin=stdin).returncode == 0
    for file in collection.iterdir():
        file.unlink()

    result = batch(*line, "--refresh", stdin=stdin)

    assert (result.returncode, told(result)["removed"], told(result)["done"]) == (0, 24, 22), result.stdout
    assert len(rows(tmp_path / "job" / "parts")) == 24
    shutil.rmtree(collection)
    if text != "-":  # of a list it has a row that says so
        assert batch(*line, "--refresh", stdin=stdin).returncode == 66


def test_names_that_are_too_long_are_refused_and_have_rows(batch, collection, tmp_path) -> None:
    long = "x" * 300

    named = batch(f"{long}.jpg", "--out", "job")
    out = batch("pictures", "--out", long)
    single = batch("pictures", "--out", f"{long}.jsonl")
    listed = batch("-", "--out", "listed", stdin=f"pictures/00.jpg\n{long}.jpg\n")
    pattern = batch("[p]" * 100, "pictures", "--out", "job")

    assert (named.returncode, told(named)["error"]["code"]) == (66, "not_found")
    assert (pattern.returncode, told(pattern)["error"]["code"]) == (66, "not_found")
    for result in (out, single):
        assert (result.returncode, told(result)["error"]["code"]) == (73, "cannot_write"), result.stdout
    assert (listed.returncode, told(listed)["done"], told(listed)["failed"]) == (0, 1, 1), listed.stdout


def test_a_pattern_of_more_bytes_than_a_name_may_have_can_match(batch, collection) -> None:
    (collection / ("y" * 90)).mkdir()
    shutil.copy(collection / "00.jpg", collection / ("y" * 90))

    result = batch("pictures/" + "[y]" * 90, "--out", "job")

    assert (result.returncode, told(result)["images"]) == (0, 1), result.stdout


def test_a_resume_looks_into_no_folder_that_a_pattern_matches(collection, tmp_path, monkeypatch) -> None:
    (collection / "list.csv").write_text("path\n00.jpg\n")
    (collection / "inner.csv").mkdir()
    monkeypatch.setattr(listing, "folder_tree", None)

    assert Named.of([f"{tmp_path}/*"], null=False).stamps() == {}
    named = Named.of([f"{collection}/*"], null=False)
    assert list(named.stamps()) == [str(collection / "list.csv")]


def test_a_name_with_a_bracket_is_the_same_job_with_a_slash(batch, collection, tmp_path) -> None:
    collection.rename(tmp_path / "q[1]")
    assert batch("q[1]/", "--out", "job").returncode == 0

    result = batch("q[1]", "--out", "job")

    assert (result.returncode, told(result)["done"]) == (0, 22), result.stdout
    assert normal("in[1]/") == "in[1]/", "a pattern: folders only"


@pytest.mark.parametrize("more", [("--backend", "nope"), ("--ray-address", "localhost:1")])
def test_a_backend_that_is_not_there_begins_no_job(batch, collection, tmp_path, more) -> None:
    result = batch("pictures", "--out", "job", *more)

    assert result.returncode == 2
    assert not (tmp_path / "job").exists()


def test_a_person_is_told_of_refresh_only_where_it_helps(batch_in, collection, tmp_path) -> None:
    line = ("pictures", "--out", "job")
    first = batch_in(".", *line, human=True)
    again = batch_in(".", *line, human=True)
    (collection / "00.jpg").unlink()
    refreshed = batch_in(".", *line, "--refresh", human=True)
    share = ("pictures", "--out", "rows.jsonl")
    assert batch_in(".", *share, "--shard-index", 0, "--shard-count", 1).returncode == 0
    for index in (0, 1):
        shared = batch_in(".", "pictures", "--out", "d.jsonl", "--shard-index", index, "--shard-count", 2)
        assert shared.returncode == 0
    joined = batch_in(".", "pictures", "--out", "d.jsonl", human=True)

    assert ["--refresh" in run.stdout for run in (first, again, refreshed, joined)] == [
        False,
        True,
        False,
        False,
    ]
    assert "0 new, 0 changed, 1 no longer there" in refreshed.stdout
    assert [run.returncode for run in (first, again, refreshed, joined)] == [0] * 4


def test_how_many_rows_a_run_made_is_told(batch, collection) -> None:
    line = ("pictures", "--out", "job", "--shard-size", 6)
    assert batch(*line, failpoints="batch.ledger.finish:kill@3").returncode < 0

    went_on, again = told(batch(*line)), told(batch(*line))

    assert (went_on["new_rows"], again["new_rows"]) == (12, 0)


@pytest.mark.parametrize("block", [1, 2, 7, 100])
def test_a_list_from_windows_has_the_names_that_are_on_it(block) -> None:
    content = "\ufeffä.jpg\r\n\r\nb.jpg\r\n".encode()
    blocks = [content[at : at + block] for at in range(0, len(content), block)]

    assert list(listing.names_in(blocks, null=False)) == ["ä.jpg", "b.jpg"]


def test_a_list_with_nul_says_which_option_was_meant(batch_in, two, tmp_path) -> None:
    refused = batch_in("a", "-", "--out", tmp_path / "job", stdin="x.jpg\0x.jpg\0")

    assert refused.returncode == 2
    assert "-0" in told(refused)["error"]["hint"]
    assert not (tmp_path / "job").exists()


def test_a_list_that_is_named_as_if_it_were_a_picture_is_refused(batch_in, two, tmp_path) -> None:
    (tmp_path / "a/names.txt").write_text("x.jpg\n")

    refused = batch_in("a", "names.txt", "--out", tmp_path / "job")

    assert refused.returncode == 2
    assert "- < names.txt" in told(refused)["error"]["hint"]


def test_the_end_of_the_one_file_may_have_large_letters(batch_in, two, tmp_path) -> None:
    assert batch_in("a", "x.jpg", "--out", tmp_path / "rows.JSONL").returncode == 0
    assert json.loads((tmp_path / "rows.JSONL").read_text())["source"] == "x.jpg"

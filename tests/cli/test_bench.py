"""`foveal bench`: options reach the measurement, the table says what the document says."""

import json

import pytest
from PIL import Image

from foveal.cli._main import run

QUICK = ["--time", "200ms", "-q"]


def test_json_is_one_document(bundle, capsys):
    assert run(["bench", str(bundle), "--batch", "1,4", "--threads", "1,2", *QUICK, "--json"]) == 0

    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert captured.err == ""
    of_reference = [row for row in document["engines"] if row["engine"] == "onnxruntime"]
    assert [(row["threads"], row["batch"]) for row in of_reference] == [(1, 1), (1, 4), (2, 1), (2, 4)]
    assert document["chosen"]["batch"] == 1


def test_people_get_a_table_what_to_take_and_what_to_mind(bundle, tmp_path, capsys):
    (tmp_path / "data" / "red").mkdir(parents=True)
    Image.new("RGB", (40, 30), (220, 30, 30)).save(tmp_path / "data" / "red" / "1.png")
    page = tmp_path / "speed.html"
    options = ["--data", str(tmp_path / "data"), "--threads", "1", "--report", str(page)]

    assert run(["bench", str(bundle), *options, *QUICK]) == 0

    out = capsys.readouterr().out
    assert "run on 1 picture of " in out
    assert "p50  95% interval" in out
    assert "\nonnxruntime  fp32            1      1" in out
    assert "\ntake      for 1 picture a call: " in out
    assert "\nkept      predict and evaluate take it from now on (" in out
    assert "\nnoise     the same twice differed by up to " in out
    assert "\none file  read " in out
    assert f"\nreport    {page}" in out
    assert "How fast is it here?" in page.read_text()
    assert run(["bench", str(bundle), *options, *QUICK]) == 73, "the page is there already"


def test_nothing_is_kept_where_that_is_not_wanted(bundle, own_cache, capsys):
    assert run(["bench", str(bundle), "--threads", "1", "--no-remember", *QUICK, "--json"]) == 0

    assert json.loads(capsys.readouterr().out)["remembered"] is None
    assert list(own_cache.rglob("*.json")) == []


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--batch", "1;2"], 2, "--batch takes numbers with commas between them"),
        (["--threads", "two"], 2, "--threads takes numbers"),
        (["--threads", "0"], 2, "threads are numbers from 1 to 256"),
        (["--time", "5"], 2, "need a time such as"),
        (["--data", "nowhere"], 66, "nowhere"),
        (["--report", "no/such/folder.html"], 73, "there is no folder no/such"),
        (["--device", "cuda"], 69, "no device 'cuda'"),
    ],
)
def test_what_makes_no_sense_has_its_exit_code(bundle, options, code, said, capsys):
    assert run(["bench", str(bundle), *QUICK, *options]) == code

    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err


def test_what_is_no_bundle_is_bad_data(tmp_path, capsys):
    (tmp_path / "no.foveal").write_bytes(b"no bundle at all")

    assert run(["bench", str(tmp_path / "no.foveal"), "--json"]) == 65

    assert json.loads(capsys.readouterr().out)["error"]["code"] == "not_a_bundle"

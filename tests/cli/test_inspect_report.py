"""`foveal inspect report` on the command line: one document, a page that loads nothing, refusals by code."""

import json

import numpy as np
import pytest

from foveal.cli._main import run


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """The log of a line with two lots, the second of which is worse; every tenth part is defective."""
    folder = tmp_path_factory.mktemp("log")
    rng = np.random.default_rng(0)
    for file, (lot, shift) in enumerate({"A-1": 0.0, "A-2": 1.0}.items(), start=1):
        lines = []
        for number in range(800):
            score = float(rng.normal(shift + (3 if number % 10 == 0 else 0), 1))
            verdict = "reject" if score >= 2.5 else "review" if score >= 2 else "accept"
            lines.append(
                {
                    "n": len(lines) + 1,
                    "what": "decision",
                    "time": f"2026-11-{28 + file}T08:00:00.000Z",
                    "source": f"{lot}/{number}.png",
                    "verdict": verdict,
                    "score": score,
                    "reasons": ["unsure"] if verdict == "review" else [],
                    "kinds": ["scratch"] if score >= 2.5 else [],
                    "bundle": "f" * 64,
                    "lot": lot,
                }
            )
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (folder / f"audit-{file:06}-202611{28 + file}.jsonl").write_text(text)
    with (folder / "audit-000002-20261130.jsonl").open("a") as torn:
        torn.write('{"n": 801, "what": "deci')
    truth = "source,defective\n" + "".join(
        f"{lot}/{number}.png,{int(number % 10 == 0)}\n" for lot in ("A-1", "A-2") for number in range(800)
    )
    (folder / "truth.csv").write_text(truth)
    return folder


def told(capsys, *words):
    code = run(["inspect", "report", *map(str, words), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_lots_kinds_alarms_and_people_are_one_document(log, capsys) -> None:
    code, document = told(
        capsys, log, "--truth", log / "truth.csv",
        "--human-miss", 0.9, "--human-false-call", 0.001, "--human-parts", 500, "--human-seconds", 6,
    )  # fmt: skip

    assert code == 0
    assert (document["schema"], document["ok"], document["parts"]) == ("foveal.inspect.report/1", True, 1600)
    assert [lot["lot"] for lot in document["lots"]] == ["A-1", "A-2"]
    assert document["lots"][1]["reject"]["low"] > document["lots"][0]["reject"]["value"]
    assert document["kinds"][0]["parts"] == round(document["reject"]["value"] * 1600)
    assert set(document["kinds"][0]["days"]) == {"2026-11-29", "2026-11-30"}
    assert {"scores", "accept"} <= {alarm["what"] for alarm in document["alarms"]}
    assert document["drift"]["baseline"] == 500
    people = document["people"]
    assert people["miss"]["verdict"] == "better"
    assert people["miss"]["machine"]["n"] == 160
    assert people["false_call"]["verdict"] == "worse"
    assert people["false_call"]["people"]["n"] == 500
    assert people["seconds"]["all_by_hand"] == 9600
    assert people["truths"] == 1600


def test_the_page_shows_all_of_it_and_loads_nothing(log, tmp_path, capsys) -> None:
    page = tmp_path / "page.html"
    code, document = told(capsys, log, "--html", page, "--human-seconds", 5)

    assert (code, document["html"]) == (0, str(page))
    text = page.read_text(encoding="utf-8")
    for part in ("A-2", "scratch", "Alarm at part", "Why parts went to a person", "By hand all parts"):
        assert part in text
    assert text.count("<svg") == 3
    assert "http:" not in text.replace("http://www.w3.org", "")
    assert told(capsys, log, "--html", page)[0] == 73


def test_people_read_the_same(log, capsys) -> None:
    assert run(["inspect", "report", str(log), "--lots"]) == 0

    text = capsys.readouterr().out
    assert "lot A-1: 800 parts" in text
    assert "ALARM at part" in text


@pytest.mark.parametrize(
    ("change", "words", "code", "exit_code"),
    [
        (None, [], "not_found", 66),
        ("", [], "empty", 65),
        ("no record\n{}\n", [], "bad_log", 65),
        ('{"verdict": "perhaps"}\n', [], "bad_log", 65),
        ("", ["--human-miss", "0.1"], "usage", 2),
    ],
)
def test_what_is_no_log_is_refused(tmp_path, capsys, change, words, code, exit_code) -> None:
    path = tmp_path / "log.jsonl"
    if change is not None:
        path.write_text(change)
    found, document = told(capsys, path, *words)

    assert (found, document["error"]["code"]) == (exit_code, code)


@pytest.mark.parametrize(
    "table", ["name\na\n", "source,defective\na.png,perhaps\n", "source,defective\na.png\n"]
)
def test_a_table_of_truths_without_them_is_refused(log, tmp_path, capsys, table) -> None:
    path = tmp_path / "truth.csv"
    path.write_text(table)
    code, document = told(capsys, log, "--truth", path)

    assert (code, document["error"]["code"]) == (65, "bad_table")

"""`foveal inspect run` and `verify` on the command line: one document each, and refusals by code."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from foveal.cli._main import run
from foveal.station.log import AuditLog

RULE = {"accept_below": 0.3, "reject_from": 0.7, "chosen": ["accept_below", "reject_from"], "good": ["green"]}


@pytest.fixture(scope="module")
def ruled(make_bundle, tmp_path_factory):
    return make_bundle(tmp_path_factory.mktemp("ruled") / "colors.foveal", inspection=RULE)


@pytest.fixture
def parts(tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    for number, color in enumerate(((220, 30, 30), (30, 220, 30), (30, 220, 30))):
        Image.fromarray(np.full((24, 32, 3), color, np.uint8)).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def told(capsys):
    """Run a command; return its exit code and the documents on stdout."""

    def call(*arguments):
        code = run(["inspect", *map(str, arguments)])
        return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return call


def test_a_line_and_the_verification_of_its_log(ruled, parts, told, tmp_path) -> None:
    log = tmp_path / "log"
    code, [document] = told("run", ruled, parts, "--log", log, "--lot", "A7", "--json")

    assert (code, document["schema"], document["ok"]) == (0, "foveal.inspect.run/1", True)
    assert document["verdicts"] == {"accept": 2, "reject": 1, "review": 0}
    assert document["thresholds"] == {"accept_below": 0.3, "reject_from": 0.7}
    assert (document["lot"], document["ended"]) == ("A7", "end")

    code, [verified] = told("verify", log, "--head", document["log"]["head"], "--json")

    assert (code, verified["schema"], verified["ok"]) == (0, "foveal.inspect.verify/1", True)
    assert (verified["records"], verified["verdicts"]) == (3, document["verdicts"])

    code, signals = told("run", ruled, parts, "--log", log, "--jsonl", "-q")

    # That run had no stdout to tell: this one begins where the log ended.
    assert (code, signals) == (0, [])


def test_a_log_that_was_changed_or_cut_exits_with_65_and_its_document(ruled, parts, told, tmp_path) -> None:
    log = tmp_path / "log"
    _, [document] = told("run", ruled, parts, "--log", log, "--json")
    [path] = log.glob("audit-*")
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"verdict":"reject"', b'"verdict":"accept"'))

    code, [changed] = told("verify", log, "--json")
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:-1]))
    cut = told("verify", log, "--json", "--head", document["log"]["head"])
    unasked, _ = told("verify", log, "--json")

    assert (code, changed["ok"], changed["records"]) == (65, False, 0)
    assert changed["broken"] == {"why": "changed", "n": 1, "file": path.name, "line": 1}
    assert (cut[0], cut[1][0]["ok"], cut[1][0]["broken"]) == (65, False, None)
    assert unasked == 0


@pytest.mark.parametrize(
    ("more", "exit_code", "error"),
    [
        (("--log", "{parts}/log"), 73, "inside_data"),
        (("--log", "log", "--template", "a.png", "--templates", "b"), 2, "usage"),
        (("--log", "log", "--template", "{parts}/0.png"), 2, "other_task"),
        (("--log", "log", "--sink", "rejects:here"), 2, "other_sink"),
        (("--log", "log", "--sink", "webhook:http://10.0.0.7/a"), 2, "remote_sink"),
        (("--log", "busy"), 75, "temporary"),
        (("--log", "log", "--json", "--jsonl"), 2, "usage"),
    ],
)
def test_what_cannot_be_is_refused(ruled, parts, told, tmp_path, monkeypatch, more, exit_code, error) -> None:
    monkeypatch.chdir(tmp_path)
    with AuditLog(tmp_path / "busy"):
        code, [document] = told("run", ruled, parts, "--json", *(one.format(parts=parts) for one in more))

    assert (code, document["error"]["code"]) == (exit_code, error)
    assert not (tmp_path / "log" / "audit-000001").exists()


def test_a_bundle_without_a_rule_decides_nothing(bundle, parts, told, tmp_path) -> None:
    code, [document] = told("run", bundle, parts, "--log", tmp_path / "log", "--json")

    assert (code, document["error"]["code"]) == (2, "no_inspection")


def test_ctrl_c_ends_a_watched_folder_with_its_summary(ruled, parts, tmp_path) -> None:
    command = ["inspect", "run", ruled, parts, "--log", tmp_path / "log", "--watch", "--jsonl"]
    process = subprocess.Popen(
        [sys.executable, "-m", "foveal", *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )
    first = [json.loads(process.stdout.readline()) for _ in range(3)]
    process.send_signal(signal.SIGINT)
    rest, said = process.communicate(timeout=60)

    assert process.returncode == 130
    assert rest == ""
    assert [one["n"] for one in first] == [1, 2, 3]
    assert "2 accept, 1 reject" in said

"""foveal serve: what is refused before anything is served."""

import json
import os
import signal
import subprocess
import sys
import urllib.request

import pytest

from foveal.cli._main import run

SERVE = [sys.executable, "-m", "foveal", "serve"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--host", "0.0.0.0"], 2, "token"),
        (["--host", "::"], 2, "token"),
        (["--host", "no.such.host.invalid"], 2, "cannot listen on no.such.host.invalid"),
        (["--host", "203.0.113.7"], 2, "cannot listen on 203.0.113.7"),
        (["--token-file", "nothing"], 66, "no token file"),
        (["--max-body", "16"], 2, "has no unit"),
        (["--drain", "10"], 2, "has no unit"),
        (["--timeout", "0s"], 2, "timeout must be above 0"),
        (["--log", "text"], 2, "--log is none or json"),
        (["--port", "70000"], 2, "--port"),
        (["--workers", "0"], 2, "workers"),
        (["--engine", "nope"], 2, "nope"),
        (["--precision", "bf17"], 2, "not in bf17"),
        (["colors.foveal"], 66, "colors.foveal"),
        (["a=" + "b" * 300], 66, "there is no"),
    ],
)
def test_what_cannot_be_served_is_refused_at_once(
    bundle, tmp_path, monkeypatch, capsys, arguments, code, said
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FOVEAL_TOKEN", raising=False)

    assert run(["serve", str(bundle), "--port", "0", *arguments]) == code
    assert said in capsys.readouterr().err


def test_another_host_needs_a_token_and_the_hint_makes_one(bundle, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.delenv("FOVEAL_TOKEN", raising=False)
    assert run(["serve", str(bundle), "--port", "0", "--host", "0.0.0.0"]) == 2
    hint = capsys.readouterr().err.splitlines()[1]
    command = hint.partition("; then")[0].strip().replace("python", sys.executable, 1)

    subprocess.run(command, shell=True, check=True, cwd=tmp_path)
    arguments = ["-m", "foveal", "serve", str(bundle), "--port", "0", "--host", "0.0.0.0", "--workers", "1"]
    process = subprocess.Popen(
        [sys.executable, *arguments, "--token-file", str(tmp_path / "token")],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    with process.stderr as lines:
        told = json.loads(lines.readline())
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 143
    assert told["event"] == "ready"
    assert told["models"] == ["colors"]


def test_two_models_of_one_name_and_names_that_are_no_part_of_an_address_are_refused(
    bundle, tmp_path, capsys
) -> None:
    odd = tmp_path / "my parts.foveal"
    odd.write_bytes(bundle.read_bytes())

    assert run(["serve", str(bundle), str(bundle), "--port", "0"]) == 2
    assert "two models are called 'colors'" in capsys.readouterr().err
    assert run(["serve", str(odd), "--port", "0"]) == 2
    assert "NAME=" in capsys.readouterr().err


def test_a_bundle_that_was_tampered_with_is_not_served(bundle, tmp_path, capsys) -> None:
    content = bytearray(bundle.read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "bad.foveal").write_bytes(content)

    assert run(["serve", str(tmp_path / "bad.foveal"), "--port", "0"]) == 65
    assert "foveal: error" in capsys.readouterr().err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_it_ends_by_either_signal_with_its_code_and_leaves_no_process(bundle, number, code) -> None:
    command = [sys.executable, "-m", "foveal", "serve", str(bundle), "--port", "0", "--workers", "2"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stderr is not None
    with process.stderr as lines:
        json.loads(lines.readline())
        os.killpg(process.pid, number)  # as a terminal does: all processes get it
        rest = lines.read()  # ends once no process holds the pipe
    assert process.wait(60) == code
    assert "Traceback" not in rest


def test_an_interruption_that_is_to_be_ignored_stays_ignored(bundle) -> None:
    """As in the background of a shell."""
    command = [*SERVE, str(bundle), "--port", "0", "--workers", "1", "--json"]
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # whom we start inherits it
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    finally:
        signal.signal(signal.SIGINT, before)
    assert process.stdout is not None
    process.stdout.readline()
    for number in (signal.SIGINT, signal.SIGTERM):  # the first one that it hears is its exit code
        process.send_signal(number)
    process.communicate(timeout=60)

    assert process.returncode == 143


def test_with_json_the_one_document_on_stdout_says_where(bundle) -> None:
    command = [*SERVE, str(bundle), "--port", "0", "--workers", "1", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    document = json.loads(process.stdout.readline())
    process.send_signal(signal.SIGINT)
    rest, err = process.communicate(timeout=60)

    assert (document["schema"], document["ok"], document["models"]) == ("foveal.serve/1", True, ["colors"])
    assert document["url"].startswith("http://127.0.0.1:")
    assert (rest, err, process.returncode) == ("", "", 130)


def test_an_engine_that_cannot_be_loaded_ends_it_with_its_exit_code(bundle) -> None:
    command = [sys.executable, "-m", "foveal", "serve", str(bundle), "--port", "0"]
    ended = subprocess.run([*command, "--engine", "nothing"], capture_output=True, text=True, check=False)

    assert ended.returncode == 2, ended.stderr
    assert "nothing" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_another_engine_is_loaded_by_each_worker(bundle) -> None:
    pytest.importorskip("openvino")
    command = [sys.executable, "-m", "foveal", "serve", str(bundle), "--port", "0", "--workers", "2"]
    process = subprocess.Popen([*command, "--engine", "openvino"], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    with process.stderr as lines:
        url = json.loads(lines.readline())["url"]
        with urllib.request.urlopen(f"{url}/v1/models", timeout=60) as answer:
            [model] = json.load(answer)["models"]
        process.terminate()
        lines.read()
    assert process.wait(60) == 143
    assert model["engine"].startswith("openvino")

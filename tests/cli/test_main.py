"""The `foveal` command itself: help, version, unknown commands, bugs, broken pipes."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import foveal
from foveal import cli
from foveal.cli import _frame, _main
from foveal.core import catalog
from foveal.core.errors import WriteError

FOVEAL = [sys.executable, "-c", "from foveal.cli import main; main()"]
COMMANDS = catalog.names(cli)


def test_version(capsys):
    assert _main.run(["--version"]) == 0
    assert capsys.readouterr().out == f"{foveal.__version__}\n"


def test_help_lists_every_command_and_the_exit_codes(capsys):
    assert _main.run(["--help"]) == 0

    text = capsys.readouterr().out
    assert all(name in text for name in COMMANDS)
    assert "65 bad data" in text


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_exit_codes_and_json(name, capsys):
    assert _main.run([name, "--help"]) == 0

    text = capsys.readouterr().out
    assert "Exit codes" in text
    assert "--json" in text


def test_without_a_command_the_help_is_printed_and_no_error(capsys):
    assert _main.run([]) == 2

    captured = capsys.readouterr()
    assert captured.err == ""
    assert captured.out.startswith("Usage: foveal")
    assert all(name in captured.out for name in COMMANDS)


def test_an_unknown_command_is_a_usage_error(capsys):
    assert _main.run(["trian"]) == 2
    assert "No such command" in capsys.readouterr().err


def test_a_bug_is_exit_1_without_a_traceback_unless_asked(monkeypatch, capsys):
    def broken(folder, name):
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(_main.catalog, "find", broken)

    assert _main.run(["models"]) == 1
    captured = capsys.readouterr()
    assert "ZeroDivisionError: oh" in captured.err
    assert "bug in foveal" in captured.err
    assert "Traceback" not in captured.err
    assert _main.run(["models", "--json", "-v"]) == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out)["error"]["code"] == "internal"
    assert "Traceback" in captured.err


@pytest.mark.parametrize(
    ("message", "hint", "printed"),
    [
        ("no room", "free some", "foveal: error: no room\n  free some\n"),
        ("no \x1b[2J\nroom", "free \x07some", "foveal: error: no \\x1b[2J\\nroom\n  free \\x07some\n"),
    ],
)
def test_an_error_shows_its_hint_with_v_its_traceback_and_never_a_control_character(
    monkeypatch, capsys, message, hint, printed
):
    def refused(folder, name):
        raise WriteError(message, hint=hint, path="x")

    monkeypatch.setattr(_main.catalog, "find", refused)

    assert _main.run(["models"]) == 73
    assert capsys.readouterr().err == printed
    assert _main.run(["models", "-v"]) == 73
    traceback = capsys.readouterr().err
    assert "Traceback" in traceback
    assert "\x1b" not in traceback


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize(
    "arguments", [["models", "--json", "-q"], ["models", "-q"], ["info", "nowhere", "--json"]]
)
def test_a_full_disk_behind_stdout_is_an_error_of_writing_and_no_bug(arguments):
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            [*FOVEAL, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )

    assert ended.returncode == 73
    assert ended.stderr == "foveal: error: cannot write the result to stdout: No space left on device\n"


@pytest.mark.parametrize("arguments", [["models", "--json"], ["models"], ["info", "nowhere", "--json"]])
def test_a_closed_stdout_is_an_error_of_writing(arguments):
    ended = subprocess.run(
        [*FOVEAL, *arguments], stderr=subprocess.PIPE, text=True, check=False, preexec_fn=lambda: os.close(1)
    )

    assert ended.returncode == 73
    assert "stdout is closed" in ended.stderr


def test_a_pipe_that_closes_before_an_error_is_told_is_quiet():
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        [*FOVEAL, "info", "nowhere", "--json"], stdout=writing, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writing)

    assert (ended.returncode, ended.stderr) == (141, "")


@pytest.mark.parametrize("threads", ["0", "257", "100000"])
def test_numbers_of_threads_that_end_a_process_are_refused(threads, capsys):
    assert _main.run(["train", "data", "--threads", threads, "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "usage"


@pytest.mark.parametrize("encoding", ["utf-8:strict", "utf-8:surrogateescape", "ascii", "latin-1"])
def test_a_name_that_is_no_utf8_gives_one_valid_document(encoding):
    ended = subprocess.run(
        [*FOVEAL, "predict", b"\xc3\xa4no\xff.foveal", "a.jpg", "--json"],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )

    document = json.loads(ended.stdout.decode("utf-8", "strict"))
    assert document["error"]["path"] == "äno\\xff.foveal"
    assert document["error"]["code"] == "not_found"
    assert ended.stdout.count(b"\n") == 1
    assert ended.stderr == b""
    assert ended.returncode == 66


def test_json_is_one_line_without_control_characters(capsys):
    text = "".join(map(chr, [*range(160), 0x2028, 0x2029]))

    _frame.print_json({text: [text]})

    out = capsys.readouterr().out
    assert json.loads(out) == {text: [text]}
    assert out.removesuffix("\n").isprintable()


def test_halves_of_letters_are_valid_in_json(capsys):
    _frame.print_json({"name": "a\ud800b\udcff\U0001f642"})

    out = capsys.readouterr().out
    assert json.loads(out.encode()) == {"name": "a\ud800b\\xff\U0001f642"}


def test_a_reader_that_goes_away_is_no_bug():
    command = f"{sys.executable} -c 'from foveal.cli import main; main()' models --json -q | true"

    ended = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False
    )

    assert ended.stderr == ""
    assert ended.returncode in (0, 141)


def test_only_the_command_that_runs_is_imported():
    script = (
        "import sys; from foveal.cli import _main; _main.run(['--version']); "
        "print(sorted(m for m in sys.modules if m.startswith('foveal.cli.')))"
    )

    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    ours = [f"foveal.cli.{name}" for name in ("_frame", "_main", "_signals", "_streams")]
    assert ended.stdout.splitlines()[1] == str(ours)


# A signal comes exactly when a module is looked for that the command line, or a command, needs.
_STRUCK = """
import os, sys
from foveal.cli import main
class Striking:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            sys.meta_path.remove(self)
            {strike}
sys.meta_path.insert(0, Striking())
main()
"""
_PLAIN = "os.kill(os.getpid(), {number})"
_TURNED = f"""try:
                {_PLAIN}
            except KeyboardInterrupt:
                raise ImportError('initialization failed') from None"""


def struck(*arguments, module="typer", strike=_PLAIN, number=signal.SIGINT, **more):
    script = _STRUCK.format(module=module, strike=strike.format(number=int(number)))
    line = [sys.executable, "-c", script, *arguments]
    return subprocess.run(line, capture_output=True, text=True, check=False, **more)


@pytest.mark.parametrize(("number", "how", "code"), [(2, "interrupted", 130), (15, "terminated", 143)])
@pytest.mark.parametrize("module", ["typer", "foveal.models._listing", "rich"])
def test_a_signal_while_modules_are_loaded_ends_it_as_ever(module, number, how, code):
    ended = struck("models", module=module, number=number)

    assert (ended.returncode, ended.stdout, ended.stderr) == (code, "", f"foveal: error: {how}\n")


def test_a_program_is_told_too_that_a_signal_came_early():
    ended = struck("models", "--json")

    assert (ended.returncode, ended.stderr) == (130, "")
    assert json.loads(ended.stdout)["error"]["code"] == "interrupted"


def test_an_import_that_a_signal_tears_is_no_bug():
    ended = struck("predict", "no.foveal", "a.jpg", module="numpy", strike=_TURNED)

    assert (ended.returncode, ended.stderr) == (130, "foveal: error: interrupted\n")


def test_a_signal_that_is_to_be_ignored_stays_ignored():
    ended = struck("models", "--json", "-q", preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))

    assert (ended.returncode, ended.stderr) == (0, "")


# Python drops what is raised in the callback of a weak reference, wherever one happens to run.
_DROPPED = """
import os, time, weakref
from foveal.cli import _signals
class Thing: ...
thing = Thing()
reference = weakref.ref(thing, lambda _: os.kill(os.getpid(), {number}))
try:
    _signals.listen([])
    del thing
    time.sleep(20)
    print("went on")
except BaseException as error:
    print(type(error).__name__)
"""


@pytest.mark.parametrize(("number", "raised"), [(2, "KeyboardInterrupt"), (15, "Terminated")])
def test_a_signal_is_not_lost_where_python_drops_what_is_raised(number, raised):
    line = [sys.executable, "-c", _DROPPED.format(number=number)]
    ended = subprocess.run(line, capture_output=True, text=True, check=False)

    assert (ended.stdout, ended.stderr) == (f"{raised}\n", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_after_the_result_changes_nothing(number):
    late = f"import atexit, os; atexit.register(os.kill, os.getpid(), {int(number)})"
    script = f"{late}\nfrom foveal.cli import main\nmain()"

    line = [sys.executable, "-c", script, "models", "--json", "-q"]
    ended = subprocess.run(line, capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert json.loads(ended.stdout)["ok"]


def unheard(how):
    """Return a file descriptor for stderr that takes nothing, or None where there is none."""
    if how == "full":
        return os.open("/dev/full", os.O_WRONLY)
    if how == "closed":
        return None
    reading, writing = os.pipe()
    os.close(reading)
    return writing


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("how", ["closed", "full", "gone"])
@pytest.mark.parametrize(
    ("arguments", "code"), [(["models", "--json"], 0), (["info", "nowhere"], 66), (["trian"], 2)]
)
def test_nobody_who_listens_to_stderr_changes_no_exit_code(how, arguments, code):
    stderr = unheard(how)
    ended = subprocess.run(
        [*FOVEAL, *arguments],
        stdout=subprocess.PIPE,
        stderr=stderr,
        check=False,
        preexec_fn=None if stderr is not None else lambda: os.close(2),
    )
    if stderr is not None:
        os.close(stderr)

    assert ended.returncode == code


def test_no_file_takes_the_place_of_a_closed_stderr():
    script = "import os; from foveal.cli import _streams; _streams.prepare(); print(os.readlink('/dev/fd/2'))"

    ended = subprocess.run(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        preexec_fn=lambda: os.close(2),
    )

    assert ended.stdout == "/dev/null\n"

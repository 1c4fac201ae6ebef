"""Find the command, run it, and turn every way it can end into the contract's exit code."""

import errno
import importlib
import sys
import traceback
from collections.abc import Sequence
from types import ModuleType
from typing import Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

import foveal
from foveal import cli
from foveal.cli import _signals
from foveal.cli._frame import ERROR_SCHEMA, Stopped, print_json, speaks, talk
from foveal.cli._streams import discard_stdout, discard_where_nobody_reads, prepare
from foveal.core import catalog
from foveal.core.errors import FovealError, UsageError, WriteError
from foveal.core.text import visible

_EPILOG = """Exit codes: 0 ok, 1 bug in foveal, 2 usage, 10 a gate failed, 65 bad data, 66 input not found,
69 missing extra or device, 73 cannot write, 75 try again, 78 bad recipe, 130/143 interrupted (everything so
far is saved)."""
_SAME_LINE = "the same line again goes on where it stopped"
_ANEW = "nothing is kept of a certificate that is not whole; the same line again begins anew"
_INTERRUPTED, _TERMINATED = 130, 143


# What a write to an open file may end with; files that we open ourselves have a name.
_STDOUT_FAILED = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


class _Commands(TyperGroup):
    """The commands of this folder; only the one that runs is imported. A folder in it is a group of them."""

    folder = cli

    def list_commands(self, ctx: Any) -> list[str]:
        names = catalog.names(self.folder) + catalog.folders(self.folder)
        return sorted(name.replace("_", "-") for name in names)

    def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | TyperGroup | None:
        name = cmd_name.replace("-", "_")
        if name in catalog.folders(self.folder):
            return _group(cmd_name, importlib.import_module(f"{self.folder.__name__}.{name}"))
        if cmd_name not in self.list_commands(ctx):
            return None
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        app.command(cmd_name, epilog=_EPILOG)(catalog.find(self.folder, name))
        command = typer.main.get_command(app)
        return command if isinstance(command, TyperCommand) else None


def _group(name: str, inside: ModuleType) -> TyperGroup:
    """Return the commands of a folder as one command that has them as words."""

    class Group(_Commands):
        folder = inside

    app = typer.Typer(name=name, cls=Group, add_completion=False, rich_markup_mode=None, help=inside.__doc__)
    app.callback(epilog=_EPILOG)(lambda: None)
    return typer.main.get_group(app)


_app = typer.Typer(
    name="foveal",
    cls=_Commands,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="From the images you have to a small, fast, proven image recognizer.",
    epilog=_EPILOG,
)


@_app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Show the version and exit."),
) -> None:
    if version:
        print(foveal.__version__)
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit(UsageError.exit_code)  # a script that forgot the command should notice


def main(signals: list[int]) -> NoReturn:
    """Run the command line and leave with its exit code.

    Args:
        signals: Those that have come already; others that come are added.
    """
    prepare()
    try:
        code = run(sys.argv[1:], signals=signals)
    except (KeyboardInterrupt, _signals.Terminated) as stop:  # once more, while it was being told
        code = _how(stop)[1]
    _signals.leave_at(code)
    sys.exit(code)


def run(arguments: Sequence[str], *, signals: list[int] | None = None) -> int:
    """Run one command and return its exit code; whatever happens, no traceback without `-v`.

    Args:
        arguments: Of the command line.
        signals: As for `main`; None: they are none of our business.
    """
    if sys.stdout is None:  # closed by whoever started us
        talk("error: stdout is closed: there is nowhere to write the result to")
        return WriteError.exit_code
    try:
        code = _ended(arguments, signals)
        if code in (_INTERRUPTED, _TERMINATED):
            discard_where_nobody_reads()
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough
        discard_stdout()
        return 141
    except OSError as error:
        discard_stdout()
        talk(f"error: cannot write the result to stdout: {error.strerror}")
        return WriteError.exit_code
    return code


def _ended(arguments: Sequence[str], signals: list[int] | None) -> int:
    """Return the exit code of a command; of all errors only those of stdout get out."""
    as_json = not {"--json", "--jsonl"}.isdisjoint(arguments)
    try:
        if signals is not None:
            _signals.listen(signals)
        return _run(list(arguments))
    except (KeyboardInterrupt, _signals.Terminated) as stop:
        how, exit_code = _how(stop)
    except Stopped as stop:  # it has said all there is to say
        return stop.exit_code
    except Exception as error:
        if not signals:
            return _failed(error, arguments, as_json=as_json)
        # A library that a signal tears out of its import says that it cannot be imported.
        how, exit_code = _how(_signals.stop(signals[-1]))
    return _fail(_stopped(how, arguments), exit_code, as_json=as_json)


def _how(stop: BaseException) -> tuple[str, int]:
    terminated = isinstance(stop, _signals.Terminated)
    return ("terminated", _TERMINATED) if terminated else ("interrupted", _INTERRUPTED)


def _failed(error: Exception, arguments: Sequence[str], *, as_json: bool) -> int:
    """Tell of an error and return its exit code; those of stdout get out."""
    if isinstance(error, BrokenPipeError):
        raise error
    ours = isinstance(error, FovealError)
    if not ours and isinstance(error, OSError) and error.filename is None and error.errno in _STDOUT_FAILED:
        raise error
    if not {"-v", "--verbose"}.isdisjoint(arguments):
        _print_traceback()
    if isinstance(error, FovealError):
        return _fail(error.as_json(), error.exit_code, as_json=as_json)
    message = f"{type(error).__name__}: {error}"
    hint = "this is a bug in foveal; run it again with -v and report what it prints"
    return _fail({"code": "internal", "message": message, "hint": hint, "path": None}, 1, as_json=as_json)


def _run(arguments: list[str]) -> int:
    command = typer.main.get_command(_app)
    try:
        result = command.main(arguments, prog_name="foveal", standalone_mode=False)
    except typer.Abort:
        raise KeyboardInterrupt from None
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # typer makes exit code 1 of it, which means a bug
            raise end.__context__ from None
        raise
    except Exception as error:
        if not hasattr(error, "format_message"):  # typer's own usage errors have it; their class is private
            raise
        problem = {"code": "usage", "message": error.format_message(), "hint": "see --help", "path": None}
        return _fail(problem, 2, as_json=not {"--json", "--jsonl"}.isdisjoint(arguments))
    if result == _INTERRUPTED:  # typer makes a silent exit code of Ctrl-C; no command returns it by itself
        raise KeyboardInterrupt
    return result if isinstance(result, int) else 0


def _stopped(how: str, arguments: Sequence[str]) -> dict[str, object]:
    resume = "if a run folder is there: foveal {} DATA --resume RUN goes on with all that is saved in it"
    goes_on = {"train": "train", "demo": "train", "pretrain": "pretrain", "clip": "clip train"}
    goes_on["fewshot"] = "fewshot train"
    hints = {name: resume.format(verb) for name, verb in goes_on.items()} | {"certify": _ANEW}
    hints |= dict.fromkeys(("batch", "build", "optimize"), _SAME_LINE)
    hint = hints.get(arguments[0]) if arguments else None
    return {"code": how, "message": how, "hint": hint, "path": None}


def _fail(problem: dict[str, object], exit_code: int, *, as_json: bool) -> int:
    if as_json and speaks():
        print_json({"schema": ERROR_SCHEMA, "ok": False, "error": problem})
    else:
        talk(f"error: {problem['message']}", *([str(problem["hint"])] if problem["hint"] else []))
    return exit_code


def _print_traceback() -> None:
    for line in traceback.format_exc().splitlines():
        print(visible(line), file=sys.stderr)

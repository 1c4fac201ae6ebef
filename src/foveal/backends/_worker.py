"""A worker process of the local backend: `python -m foveal.backends._worker PARENT`.

It reads commands as JSON lines on stdin, `{"init": …}` or `{"key", "entry", "spec"}`, does one after the
other, and answers on what was its stdout: `{"event": "ready"}`, or `{"event": "refused", "problem"}`, with
which it ends; then for each task `{"event": "started", "key"}` before anything of it runs, and
`{"event": "ended", "key", "outcome", "detail"}`. What the functions print goes to stderr. It ends at the end
of stdin, and with its parent.
"""

import ctypes
import json
import os
import signal
import sys
import threading
from queue import SimpleQueue
from typing import Any

from foveal.backends import _calling

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Work until there is nothing more to do."""
    _die_with(int(sys.argv[1]))
    commands: SimpleQueue[dict[str, Any]] = SimpleQueue()
    channel = os.dup(1)  # this and stdin's copy are not handed on to processes that the functions start
    orders = os.dup(0)
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    over = threading.Event()
    # A thread, so that whoever gives work never waits for us to take it.
    threading.Thread(target=_listen, args=(orders, commands, over), daemon=True).start()
    _work(commands, channel, over)


def _die_with(parent: int) -> None:
    """Let the system kill us when the parent is gone, however that came about."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it went before we could ask
        os._exit(1)


def _listen(orders: int, commands: "SimpleQueue[dict[str, Any]]", over: threading.Event) -> None:
    with open(orders, encoding="ascii") as lines:
        for line in lines:
            commands.put(json.loads(line))
    over.set()  # nobody would hear what became of tasks that are still to be begun
    commands.put({})


def _work(commands: "SimpleQueue[dict[str, Any]]", channel: int, over: threading.Event) -> None:
    state: list[Any] = []  # what `init` returned, if there was one
    while True:
        command = commands.get()
        if over.is_set():
            return
        if "init" in command:
            init = command["init"]
            if init is not None:
                try:
                    state = [_calling.function(init["entry"])(init["spec"])]
                except Exception as error:
                    _say(channel, event="refused", problem=_calling.problem(error))
                    return
            _say(channel, event="ready")
        else:
            _say(channel, event="started", key=command["key"])
            outcome, detail = "done", {}
            try:
                detail = _calling.function(command["entry"])(command["spec"], *state)
                json.dumps(detail, allow_nan=False)
            except Exception as error:
                outcome, detail = "failed", _calling.problem(error)
            _say(channel, event="ended", key=command["key"], outcome=outcome, detail=detail)


def _say(channel: int, **message: Any) -> None:
    line = json.dumps(message).encode() + b"\n"
    while line:
        line = line[os.write(channel, line) :]


if __name__ == "__main__":
    main()

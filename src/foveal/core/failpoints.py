"""Named places where a test makes the process fail as machines do: killed, disk full, torn write.

Nothing happens unless the variable FOVEAL_FAILPOINTS says so. It holds rules `name:action@n`, separated by
commas: the n-th time (from 1) that the process reaches the place `name`, `action` happens. `*` stands for all
places together, so `*:kill@1`, `*:kill@2` … kills a program at every place it ever comes to.

| action | what happens |
| --- | --- |
| `kill` | SIGKILL, as by the system when memory runs out |
| `full`, `broken` | OSError: no space left on the device; input/output error |
| `torn` | half of the data is written, and then SIGKILL (places of `passing` only) |
| `sleep` | ten seconds pass |
"""

import errno
import os
import signal
import time
from collections import Counter
from dataclasses import dataclass

VARIABLE = "FOVEAL_FAILPOINTS"
_ACTIONS = ("kill", "full", "broken", "torn", "sleep")
_SLEEP = 10.0
_ERRORS = {"full": errno.ENOSPC, "broken": errno.EIO}


@dataclass(frozen=True)
class Rule:
    """When to fail, and how; see the module."""

    place: str
    action: str
    at: int


class Failpoints:
    """The rules of a process and how often it was where."""

    def __init__(self, text: str) -> None:
        """Read rules; an empty text has none.

        Raises:
            ValueError: Something is no rule: a test that does not fail anything must not look like one.
        """
        self._rules = [_rule(part) for part in text.split(",") if part]
        self._reached: Counter[str] = Counter()

    def reach(self, place: str) -> None:
        """Fail here if a rule says so."""
        for rule in self._due(place):
            _act(rule.action, place)

    def passing(self, place: str, data: bytes) -> bytes:
        """Return the data to write at a place: all, or half of it where `dying` has to be called then."""
        for rule in self._due(place):
            if rule.action == "torn":
                self._dying = True
                return data[: len(data) // 2]
            _act(rule.action, place)
        return data

    _dying = False

    def is_dying(self) -> bool:
        """Return whether the data that `passing` returned last were torn: flush them, then call `written`."""
        return self._dying

    def written(self) -> None:
        """Die where the write that was just made was a torn one."""
        if self._dying:
            os.kill(os.getpid(), signal.SIGKILL)

    def _due(self, place: str) -> list[Rule]:
        if not self._rules:
            return []
        self._reached.update((place, "*"))
        return [r for r in self._rules if r.place in (place, "*") and self._reached[r.place] == r.at]


def _rule(text: str) -> Rule:
    place, _, rest = text.rpartition(":")
    action, _, at = rest.partition("@")
    if not place or action not in _ACTIONS or not at.isdecimal() or int(at) < 1:
        raise ValueError(f"{VARIABLE}: no rule {text!r}; needed: name:action@n with {', '.join(_ACTIONS)}")
    return Rule(place, action, int(at))


def _act(action: str, place: str) -> None:
    if action in _ERRORS:
        number = _ERRORS[action]
        raise OSError(number, os.strerror(number), place)
    if action == "sleep":
        time.sleep(_SLEEP)
        return
    os.kill(os.getpid(), signal.SIGKILL)


_here = Failpoints(os.environ.get(VARIABLE, ""))
reach = _here.reach
passing = _here.passing
is_dying = _here.is_dying
written = _here.written

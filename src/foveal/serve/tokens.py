"""Who may ask: bearer tokens from a file that may change while the server runs, or from the environment.

A file that was emptied lets nobody in: that is how all tokens are revoked. One that is gone, cannot be read
or holds what is no token says nothing of whom to let in: the tokens of before stay.
"""

import hashlib
import hmac
import os
import re
import stat
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from foveal.core.errors import FovealError, NotFoundError, UsageError
from foveal.serve.problems import HttpError

VARIABLE = "FOVEAL_TOKEN"
LEAST = 22  # url-safe characters hold 6 bits each: 128 bits and more
_MOST = 512
_MOST_TOKENS = 64
_MOST_BYTES = 1 << 16  # of the file, with comments
_TOKEN = re.compile(rf"[A-Za-z0-9_~.+/=-]{{{LEAST},{_MOST}}}")
_LOOK = 1.0  # seconds between two looks at the file
_HOW = "python -c 'import secrets; print(secrets.token_urlsafe(32))' > token && chmod 600 token"
_Stamp = tuple[int, int, int]


class Tokens:
    """The tokens that are let in. Several lines of the file are several tokens, so that they can overlap."""

    def __init__(self, *, path: Path | None = None, text: str | None = None) -> None:
        """Read them.

        Args:
            path: A file with a token a line; lines that begin with `#` are comments.
            text: The same, where there is no file.

        Raises:
            NotFoundError: There is no file.
            UsageError: `weak_token`: no token, or one that is easy to guess. `too_many_tokens`.
        """
        self._path = path
        self._stamp: _Stamp | None = None if path is None else _stamp(path)
        self._digests = _digests(_content(path) if path is not None else text or "")
        if not self._digests:
            raise _weak()
        self._looked = time.monotonic()
        self._fault: str | None = None

    @property
    def warning(self) -> str | None:
        """What is not as it should be about the file, or None."""
        if self._path is None or not self._path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
            return None
        return f"others can read the token in {self._path}: chmod 600 {self._path}"

    def check(self, authorization: Sequence[bytes]) -> int:
        """Return the number of the token in a request's `Authorization` headers, below 2⁶⁴, for its rate.

        It is drawn from the token: no two have the same but by a chance of one in 10¹⁶.

        Raises:
            HttpError: `no_token`; no such header, more than one, or another token.
        """
        self.look()
        scheme, _, token = authorization[0].partition(b" ") if len(authorization) == 1 else (b"", b"", b"")
        if scheme.lower() == b"bearer":
            given = hashlib.sha256(token.strip()).digest()
            # All are compared, and digests of equal length: the time says nothing.
            same = [hmac.compare_digest(given, known) for known in self._digests]
            if any(same):
                return int.from_bytes(given[:8], "big")
        raise HttpError(
            "no_token",
            "this server answers to its token only",
            hint="send the header Authorization: Bearer TOKEN",
            headers={"www-authenticate": "Bearer"},
        )

    @property
    def fingerprints(self) -> list[str]:
        """What may be told of the tokens in force: the first 8 hexadecimal digits of the SHA-256 of each."""
        return [digest.hex()[:8] for digest in self._digests]

    def look(self) -> dict[str, Any] | None:
        """Read the file again where it has changed, once a second at most.

        Returns:
            What an operator must know, for the log; None: nothing new.
        """
        now = time.monotonic()
        if self._path is None or now - self._looked < _LOOK:
            return None
        self._looked = now
        before = self._fault, self._digests
        try:
            stamp = _stamp(self._path)
            if stamp != self._stamp:
                self._digests = _digests(_content(self._path))
                self._stamp = stamp
            self._fault = None if self._digests else "the token file holds no token: nobody is let in"
        except FovealError as error:
            self._fault = f"{error.message}; the tokens of before stay in force"
        if (self._fault, self._digests) == before:
            return None
        told = {"event": "tokens"} if self._fault is None else {"event": "warning", "message": self._fault}
        return {**told, "tokens": self.fingerprints}


def tokens(path: Path | None, environment: Mapping[str, str] = os.environ) -> Tokens | None:
    """Return what is let in: by a file, else by the environment; None: everybody.

    Raises:
        NotFoundError, UsageError: As `Tokens`.
    """
    if path is not None:
        return Tokens(path=path)
    text = environment.get(VARIABLE)
    return None if text is None else Tokens(text=text)


def needed(host: str) -> UsageError:
    """Return the error of a server that others could reach, without a token."""
    return UsageError(
        f"{host} can be reached from other machines, and nothing says who may ask",
        code="token_needed",
        hint=f"{_HOW}; then --token-file token",
    )


def _stamp(path: Path) -> _Stamp:
    try:
        found = path.stat()
    except OSError as error:
        raise NotFoundError(f"no token file: {error.strerror}", path=path) from None
    return found.st_ctime_ns, found.st_size, found.st_ino


def _content(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise NotFoundError(f"the token file cannot be read: {error.strerror}", path=path) from None
    if len(content) > _MOST_BYTES:  # cut off it would say less, or something else
        raise _too_many(f"the token file has more than {_MOST_BYTES} bytes", path)
    try:
        return content.decode("ascii")
    except UnicodeDecodeError:
        raise UsageError("a token is ASCII", code="weak_token", path=path, hint=_HOW) from None


def _digests(text: str) -> list[bytes]:
    lines = [line.strip() for line in text.splitlines()]
    found = [line for line in lines if line and not line.startswith("#")]
    if not all(_TOKEN.fullmatch(line) for line in found):
        raise _weak()
    if len(found) > _MOST_TOKENS:
        raise _too_many(f"there are {len(found)} tokens; a server takes {_MOST_TOKENS}", None)
    return [hashlib.sha256(line.encode()).digest() for line in found]


def _weak() -> UsageError:
    message = f"a token has {LEAST} to {_MOST} url-safe characters drawn by chance"
    return UsageError(message, code="weak_token", hint=_HOW)


def _too_many(message: str, path: Path | None) -> UsageError:
    return UsageError(message, code="too_many_tokens", path=path, hint="remove those that nobody uses")

"""What a row of the catalogue is."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Case:
    """The bytes of one file, and what has to come of them.

    Attributes:
        name: Among the cases of its row.
        content: The bytes.
        codes: Of the `ImageError`, one of these; empty: it is decoded.
        kind: The media type that a client states; it must not matter.
    """

    name: str
    content: bytes = field(repr=False)
    codes: frozenset[str] = frozenset()
    kind: str = "image/jpeg"

    @property
    def statuses(self) -> frozenset[int]:
        """What a server answers where this is the only picture of a request."""
        known = {"format_not_allowed": 415, "too_many_bytes": 413}
        return frozenset(known.get(code, 422) for code in self.codes) or frozenset({200})


@dataclass(frozen=True)
class Talk:
    """What is written to a server's socket, and what it may answer.

    Attributes:
        name: Among those of its row.
        sent: The bytes, in the pieces in which they are written; produced while they are sent.
        statuses: It answers with one of these; 0 stands for closing without an answer.
        code: Of the problem; None: any.
    """

    name: str
    sent: Callable[[], Iterator[bytes]] = field(repr=False)
    statuses: frozenset[int]
    code: str | None = None


@dataclass(frozen=True)
class Row:
    """One kind of bad input.

    Attributes:
        number: In the catalogue, from 1.
        name: What it is.
        cases: Makes the files.
        talks: Makes the conversations.
        guarded: Makes those with a server that has a token.
        slowly: Makes those with a server that soon loses patience.
        covered: Tests elsewhere that hold it, as pytest names them.
    """

    number: int
    name: str
    cases: Callable[[], Iterator[Case]] | None = field(default=None, repr=False)
    talks: Callable[[], Iterator[Talk]] | None = field(default=None, repr=False)
    guarded: Callable[[], Iterator[Talk]] | None = field(default=None, repr=False)
    slowly: Callable[[], Iterator[Talk]] | None = field(default=None, repr=False)
    covered: tuple[str, ...] = ()


def good(name: str, content: bytes, kind: str = "image/jpeg") -> Case:
    """Return a file that is decoded."""
    return Case(name, content, frozenset(), kind)


def bad(name: str, content: bytes, *codes: str) -> Case:
    """Return a file that is refused with one of some codes."""
    return Case(name, content, frozenset(codes))

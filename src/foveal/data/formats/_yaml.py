"""The little of YAML that `data.yaml` is written in: keys with texts, lists, or a map one level deep.

Texts over several lines (`download: |`) are passed over; anything else of YAML is refused with its line.
"""

import re
from typing import NamedTuple

from foveal.core.errors import DataError
from foveal.data.formats._annotations import bad, read_text
from foveal.data.tree import Tree

_KEY = re.compile(r"""("[^"]*"|'[^']*'|[^\s:#"'\[\]{},&*!|>%@`-][^:#]*?)\s*:(?:\s+(.*))?""")
_SCRIPT = re.compile(r"\w+:\s+[|>][+-]?")
_NOT_READ = ("&", "*", "!", "|", ">", "%", "@", "`", "?")
_TOKEN = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^,\[\]{}:#"']+|[,\[\]{}:])""")


class Value(NamedTuple):
    """What a key has: a text, a list of texts, or texts by their keys; and its line."""

    line: int
    value: str | list[str] | dict[str, str]


class _Line(NamedTuple):
    line: int
    indent: int
    text: str


class _WrongError(Exception):
    pass


def read_yaml(tree: Tree, file: str) -> dict[str, Value]:
    """Return the keys of a file with what they have.

    Raises:
        DataError: `bad_annotation`: it holds more than is read here; the message names the line.
    """
    lines = _lines(tree, file)
    found: dict[str, Value] = {}
    place = 0
    while place < len(lines):
        line = lines[place]
        try:
            if line.indent:
                raise _WrongError("it is further in than the line before it allows")
            key, rest = _pair(line.text)
            if key in found:
                raise _WrongError(f"the key {key!r} is on line {found[key].line}, too")
            place += 1
            if rest:
                found[key] = Value(line.line, _value(rest))
                continue
            below = _below(lines, place)
            found[key] = Value(line.line, _block(tree, file, below))
            place += len(below)
        except _WrongError as error:
            raise bad(tree, file, line.line, str(error)) from error
    return found


def _lines(tree: Tree, file: str) -> list[_Line]:
    found: list[_Line] = []
    passed_over = False  # of a text over several lines, such as a script to download, which nobody runs
    for number, raw in enumerate(read_text(tree, file).splitlines(), start=1):
        text = _without_comment(raw).rstrip()
        if not text.strip() or text.strip() in ("---", "...") or (passed_over and raw[:1] in " \t"):
            continue
        passed_over = bool(_SCRIPT.fullmatch(text))
        if passed_over:
            continue
        if "\t" in text[: len(text) - len(text.lstrip())]:
            raise bad(tree, file, number, "it begins with a tab, which YAML does not allow")
        found.append(_Line(number, len(text) - len(text.lstrip()), text.strip()))
    return _joined(tree, file, found)


def _joined(tree: Tree, file: str, lines: list[_Line]) -> list[_Line]:
    """Return the lines with a list or map in brackets, which may go over several of them, on one."""
    found: list[_Line] = []
    open_ones = 0
    for line in lines:
        if open_ones:
            found[-1] = found[-1]._replace(text=f"{found[-1].text} {line.text}")
        else:
            found.append(line)
        plain = re.sub(r"""'[^']*'|"[^"]*\"""", "", line.text)
        open_ones += sum(plain.count(one) for one in "[{") - sum(plain.count(one) for one in "]}")
    if open_ones:
        raise bad(tree, file, found[-1].line, "a bracket is not closed, or closed twice")
    return found


def _without_comment(text: str) -> str:
    """Return a line without its comment: a # at its beginning, or behind a blank and outside of quotes."""
    quote = ""
    for place, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'" and (place == 0 or text[place - 1] in " \t[{,:"):
            quote = letter
        elif letter == "#" and (place == 0 or text[place - 1] in " \t"):
            return text[:place]
    return text


def _below(lines: list[_Line], place: int) -> list[_Line]:
    """Return the lines that belong to the key before them; those of a list may be as far out as it."""
    found = []
    for line in lines[place:]:
        if line.indent == 0 and not line.text.startswith("- "):
            break
        found.append(line)
    return found


def _block(tree: Tree, file: str, lines: list[_Line]) -> str | list[str] | dict[str, str]:
    if not lines:
        return ""
    texts: list[str] = []
    pairs: dict[str, str] = {}
    is_list = lines[0].text.startswith("- ")
    for line in lines:
        try:
            if line.indent != lines[0].indent:
                raise _WrongError("only one level of lists and maps is read")
            if line.text.startswith("- ") != is_list:
                raise _WrongError("a list and a map are mixed")
            if is_list:
                texts.append(_text(line.text[2:].strip()))
                continue
            key, rest = _pair(line.text)
            if key in pairs:
                raise _WrongError(f"the key {key!r} is there twice")
            pairs[key] = _text(rest)
        except _WrongError as error:
            raise bad(tree, file, line.line, str(error)) from error
    return texts if is_list else pairs


def _pair(text: str) -> tuple[str, str]:
    found = _KEY.fullmatch(text)
    if not found:
        raise _WrongError(f"{text!r:.60} is no key with a colon and a value")
    return _text(found[1]), (found[2] or "").strip()


def _value(text: str) -> str | list[str] | dict[str, str]:
    if text.startswith("["):
        return _texts(_tokens(text), "]")
    if text.startswith("{"):
        tokens = _tokens(text)
        return _pairs(tokens)
    return _text(text)


def _tokens(text: str) -> list[str]:
    found = []
    place = 0
    while place < len(text):
        token = _TOKEN.match(text, place)
        if not token:
            raise _WrongError(f"{text[place:]!r:.40} is not read")
        found.append(token[1].strip())
        place = token.end()
    return found


def _texts(tokens: list[str], closing: str) -> list[str]:
    """Return the texts of a list in brackets."""
    inner = tokens[1:-1]
    if tokens[-1] != closing or any(token in "[]{}:" for token in inner if token):
        raise _WrongError("it is no list of texts")
    if inner and inner[-1] == ",":
        inner = inner[:-1]
    if any((token == ",") != bool(place % 2) for place, token in enumerate(inner)):
        raise _WrongError("a text of the list is empty, or a comma is missing")
    return [_text(token) for token in inner[::2]]


def _pairs(tokens: list[str]) -> dict[str, str]:
    """Return the texts of a map in braces."""
    inner = tokens[1:-1]
    if inner and inner[-1] == ",":
        inner = inner[:-1]
    groups = [inner[place : place + 4] for place in range(0, len(inner), 4)]
    right = tokens[-1] == "}" and all(
        len(group) >= 3 and group[1] == ":" and group[3:] in ([","], []) for group in groups
    )
    keys = [_text(group[0]) for group in groups if group]
    if not right or len(set(keys)) < len(keys):
        raise _WrongError("it is no map of texts")
    return {key: _text(group[2]) for key, group in zip(keys, groups, strict=True)}


def _text(text: str) -> str:
    """Return a text without its quotes."""
    if text[:1] == "'" and text[-1:] == "'" and len(text) > 1:
        return text[1:-1].replace("''", "'")
    if text[:1] == '"' and text[-1:] == '"' and len(text) > 1:
        if "\\" in text:
            raise _WrongError("backslashes in quotes are not read; single quotes need none")
        return text[1:-1]
    if text[:1] in _NOT_READ or text[:1] in ("'", '"'):
        raise _WrongError(f"{text!r:.40} is YAML that is not read here")
    return text


def wrong(tree: Tree, file: str, value: Value, why: str) -> DataError:
    """Return the error that the value of a key makes no sense."""
    return bad(tree, file, value.line, why)

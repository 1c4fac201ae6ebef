"""XML as a tree whose every element knows its line; nothing in it is expanded, and nothing fetched."""

from dataclasses import dataclass, field
from typing import NoReturn
from xml.parsers import expat

from foveal.core.errors import DataError
from foveal.data.formats._annotations import LARGE_TEXT, bad, finite, read_bytes
from foveal.data.tree import Tree

_DEEPEST = 64


class _RefusedError(Exception):
    """What is not read, though it is XML."""


@dataclass
class Element:
    """An element.

    Attributes:
        name: Of its tag.
        attributes: Their values by name.
        line: Where it begins, from 1.
        children: The elements in it, in order.
        text: All text directly in it.
    """

    name: str
    attributes: dict[str, str]
    line: int
    children: list["Element"] = field(default_factory=list)
    text: str = ""

    def child(self, name: str) -> "Element | None":
        """Return the first element directly in it with a name."""
        return next((child for child in self.children if child.name == name), None)

    def named(self, name: str) -> list["Element"]:
        """Return the elements directly in it with a name."""
        return [child for child in self.children if child.name == name]


@dataclass(frozen=True)
class Xml:
    """A parsed file: where it lies, and its outermost element."""

    tree: Tree
    file: str
    root: Element

    def bad(self, element: Element, why: str) -> DataError:
        """Return the error that something is wrong where an element begins."""
        return bad(self.tree, self.file, element.line, why)

    def text(self, element: Element, name: str) -> str:
        """Return the text of an element directly in another.

        Raises:
            DataError: `bad_annotation`: it is not there, or is empty.
        """
        child = element.child(name)
        if child is None or not child.text.strip():
            raise self.bad(child or element, f"<{element.name}> has no <{name}>, or an empty one")
        return child.text.strip()

    def number(self, element: Element, name: str) -> float:
        """Return the number in an element directly in another; raises as `text`, also for no number."""
        text = self.text(element, name)
        value = finite(text)
        if value is None:
            raise self.bad(element.child(name) or element, f"<{name}> is {text!r}, not a number")
        return value

    def attribute(self, element: Element, name: str) -> str:
        """Return an attribute of an element.

        Raises:
            DataError: `bad_annotation`: it has none of that name.
        """
        if name not in element.attributes:
            raise self.bad(element, f"<{element.name}> has no {name}")
        return element.attributes[name]

    def size(self, element: Element, name: str) -> float:
        """Return the number in an attribute; raises as `attribute`, also for no number."""
        text = self.attribute(element, name)
        value = finite(text)
        if value is None:
            raise self.bad(element, f"{name} of <{element.name}> is {text!r}, not a number")
        return value


def read_xml(tree: Tree, file: str, *, at_most: int = LARGE_TEXT) -> Xml:
    """Return a parsed file.

    Raises:
        DataError: `bad_annotation`: it is no XML, declares entities, is nested very deeply, or is too long.
    """
    content = read_bytes(tree, file, at_most=at_most)
    parser = expat.ParserCreate()
    outside = Element("", {}, 1)
    open_ones = [outside]

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(open_ones) > _DEEPEST:
            raise _RefusedError(f"its elements lie more than {_DEEPEST} deep in each other")
        element = Element(name, attributes, parser.CurrentLineNumber)
        open_ones[-1].children.append(element)
        open_ones.append(element)

    def end(name: str) -> None:
        open_ones.pop()

    def said(text: str) -> None:
        open_ones[-1].text += text

    def refuse(*_: object) -> NoReturn:
        raise _RefusedError("it declares entities, which are not read")

    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = said
    parser.EntityDeclHandler = parser.UnparsedEntityDeclHandler = refuse
    parser.ExternalEntityRefHandler = refuse
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise bad(tree, file, error.lineno, f"no XML: {expat.ErrorString(error.code)}") from error
    except _RefusedError as error:
        raise bad(tree, file, parser.CurrentLineNumber, str(error)) from error
    except (ValueError, LookupError) as error:  # an encoding that does not exist, or bytes that are not in it
        raise bad(tree, file, parser.CurrentLineNumber, f"no XML: {error}") from error
    return Xml(tree, file, outside.children[0])

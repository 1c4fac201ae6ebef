"""A network in OpenVINO's own form, and a look at it before OpenVINO gets it.

The form is called IR (docs.openvino.ai, "OpenVINO IR format"): a description in XML and one file of weights.
Only what a recognizer needs is let through, written in exactly one way: then a reader of XML that forgives
more, or less, than the one here still reads the same.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod
from xml.etree import ElementTree as Xml

from foveal.core.errors import BundleError

_HEAD = b'<?xml version="1.0"?>\n'
_XML_BYTES, _LAYERS, _SIDE = 16 << 20, 100_000, 1 << 31  # far above any real network
_BITS = {
    **{"f32": 32, "f16": 16, "bf16": 16, "boolean": 8, "i64": 64, "i32": 32, "i16": 16, "i8": 8, "i4": 4},
    **{"u64": 64, "u32": 32, "u16": 16, "u8": 8, "u4": 4},
}
# Element → the attributes it must have, and the elements it may hold; `data` has attributes of its own.
_GRAMMAR: dict[str, tuple[set[str], set[str]]] = {
    "net": ({"name", "version"}, {"layers", "edges"}),
    "layers": (set(), {"layer"}),
    "layer": ({"id", "name", "type", "version"}, {"data", "input", "output"}),
    "data": (set(), set()),
    "input": (set(), {"port"}),
    "output": (set(), {"port"}),
    "port": ({"id", "precision"}, {"dim"}),
    "dim": (set(), set()),
    "edges": (set(), {"edge"}),
    "edge": ({"from-layer", "from-port", "to-layer", "to-port"}, set()),
}
_OPSET = re.compile(r"opset[1-9][0-9]?")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")
_SOURCES = {"Parameter", "Const"}  # all else reads something
_NO_STATE = {"Assign", "ReadValue", "If", "Loop", "TensorIterator"}

Place = tuple[int, int]  # a layer, and one of its ports


@dataclass(frozen=True)
class Ir:
    """A network in OpenVINO's form.

    Attributes:
        xml: The description, as `written` writes it.
        weights: All constants, one behind the other.
    """

    xml: bytes = field(repr=False)
    weights: bytes = field(repr=False)


def written(net: Xml.Element) -> bytes:
    """Return the only bytes that describe a network: no space, no comment, no declaration of anything."""
    text: bytes = Xml.tostring(net, encoding="us-ascii", xml_declaration=False)
    return _HEAD + text


def check_ir(ir: Ir) -> None:
    """Return if a network stands alone and runs straight through, all its constants within the weights.

    Raises:
        BundleError: Code `bad_graph`; it is not written in the one way, holds something that no recognizer
            needs (bodies of loops, state, operators of others), an edge that leads backwards or nowhere, or
            a constant that lies outside the weights.
    """
    net = _parsed(ir.xml)
    layers, edges = _two_parts(net)
    if not 1 <= len(layers) <= _LAYERS:
        raise _refused(f"it has {len(layers)} layers")
    given: set[Place] = set()
    taken: set[Place] = set()
    for place, layer in enumerate(layers):
        if _number(layer, "id") != place:
            raise _refused("its layers are not numbered in order")
        _check_layer(layer, len(ir.weights))
        for seen, ports in ((given, "output/port"), (taken, "input/port")):
            found = [(place, _number(port, "id")) for port in layer.iterfind(ports)]
            if len(set(found)) < len(found):
                raise _refused("two ports of a layer have one number")
            seen |= set(found)
    _check_edges(edges, given, taken)


def _parsed(xml: bytes) -> Xml.Element:
    """Return the root; whatever two readers of XML could understand differently is refused before."""
    if len(xml) > _XML_BYTES:
        raise _refused("its description is too long")
    if not xml.startswith(_HEAD) or b"<!" in xml or b"<?" in xml[len(_HEAD) :]:
        raise _refused("its description is not plain XML")
    try:
        net = Xml.fromstring(xml)
    except (Xml.ParseError, ValueError, LookupError) as error:
        raise _refused(f"its description is no XML: {error}") from None
    for element in _all(net):
        _check_element(element)
    if net.tag != "net" or written(net) != xml:
        raise _refused("its description is written in another way than sealing does")
    return net


def _all(net: Xml.Element) -> Iterator[Xml.Element]:
    """Yield every element; what the grammar lets through is six deep, so deeper ones are refused early."""
    level = [net]
    while level:
        yield from level
        level = [child for element in level for child in element]


def _check_element(element: Xml.Element) -> None:
    attributes, inside = _GRAMMAR.get(element.tag, (None, set()))
    if attributes is None:
        raise _refused(f"it holds {element.tag[:40]!r}, which no recognizer has")
    extra = set(element.attrib) - attributes
    known = element.tag == "data" or extra <= ({"names"} if element.tag == "port" else set())
    if not known or not attributes <= set(element.attrib):
        raise _refused(f"a {element.tag} has other attributes than it should")
    if element.tail is not None or (element.text is not None and element.tag != "dim"):
        raise _refused("its description is written in another way than sealing does: it holds words")
    if wrong := [child.tag for child in element if child.tag not in inside]:
        raise _refused(f"a {element.tag} holds {wrong[0][:40]!r}")


def _two_parts(net: Xml.Element) -> tuple[list[Xml.Element], list[Xml.Element]]:
    if [part.tag for part in net] != ["layers", "edges"] or net.get("version") not in ("10", "11"):
        raise _refused("it is not one list of layers and one of edges, in version 10 or 11")
    return list(net[0]), list(net[1])


def _check_layer(layer: Xml.Element, weights: int) -> None:
    kind, parts = layer.get("type", ""), [part.tag for part in layer]
    if not _OPSET.fullmatch(layer.get("version", "")):
        raise _refused(f"it has an operator that is not of OpenVINO's own: {kind[:40]!r}")
    if kind in _NO_STATE:
        raise _refused(f"it has a {kind}; a recognizer runs straight through and remembers nothing")
    if parts != [part for part in ("data", "input", "output") if part in parts]:
        raise _refused("a layer has its parts twice, or in another order")
    if (layer.find("input/port") is None) is not (kind in _SOURCES):
        raise _refused(f"a {kind[:40]!r} reads something, or nothing, where it should not")  # 2026.4 crashes
    for side in layer.iterfind(".//dim"):
        if side.text != "-1" and (_plain(side.text or "") is None or int(side.text or "") >= _SIDE):
            raise _refused(f"a side of a tensor is {side.text!r}"[:120])
    if kind == "Const":
        _check_constant(layer, weights)


def _check_constant(layer: Xml.Element, weights: int) -> None:
    """Refuse a constant that is not as long as its shape says, or reaches beyond the weights."""
    data = layer.find("data")
    if data is None:
        raise _refused("a constant says nothing of itself")
    bits = _BITS.get(data.get("element_type", ""))
    sides = [_plain(side.strip()) for side in data.get("shape", "").split(",") if side.strip()]
    if bits is None or len(sides) > 8 or None in sides:
        raise _refused("a constant is of an unknown kind")
    length = -(-prod(side or 0 for side in sides) * bits // 8)
    if _number(data, "size") != length or _number(data, "offset") + length > weights:
        raise _refused("a constant lies outside the weights, or is not as long as its shape says")


def _check_edges(edges: list[Xml.Element], given: set[Place], taken: set[Place]) -> None:
    """Refuse what is not: each input is fed once, by an output of an earlier layer."""
    fed: set[Place] = set()
    for edge in edges:
        source = _number(edge, "from-layer"), _number(edge, "from-port")
        target = _number(edge, "to-layer"), _number(edge, "to-port")
        if source not in given or target not in taken or target in fed or source[0] >= target[0]:
            raise _refused("an edge leads backwards, nowhere, or to where another one leads")
        fed.add(target)
    if fed != taken:
        raise _refused("an input of a layer is fed by nothing")


def _number(element: Xml.Element, name: str) -> int:
    found = _plain(element.get(name, ""))
    if found is None:
        raise _refused(f"the {name} of a {element.tag} is no number")
    return found


def _plain(text: str) -> int | None:
    """Return a number of 0 or more that is written as briefly as it can be."""
    return int(text) if _NUMBER.fullmatch(text) else None


def _refused(what: str) -> BundleError:
    return BundleError(
        f"OpenVINO's form of the model in the bundle cannot be used: {what}",
        code="bad_graph",
        hint="it is no bundle of foveal export",
    )

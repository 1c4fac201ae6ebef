"""bundle.ir: what export writes passes, and whatever two readers could understand differently does not."""

import re
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foveal.bundle.ir import Ir, check_ir
from foveal.core.errors import BundleError

# Two pixels that are copied: as small as a network can be, written by hand.
XML = (
    b'<?xml version="1.0"?>\n<net name="n" version="11"><layers>'
    b'<layer id="0" name="a" type="Parameter" version="opset1"><data shape="?,2" element_type="f32" />'
    b'<output><port id="0" precision="FP32" names="images"><dim>-1</dim><dim>2</dim></port></output></layer>'
    b'<layer id="1" name="b" type="Const" version="opset1">'
    b'<data element_type="f32" shape="1, 2" offset="4" size="8" />'
    b'<output><port id="0" precision="FP32"><dim>1</dim><dim>2</dim></port></output></layer>'
    b'<layer id="2" name="c" type="Add" version="opset1"><data auto_broadcast="numpy" />'
    b'<input><port id="0" precision="FP32"><dim>-1</dim><dim>2</dim></port>'
    b'<port id="1" precision="FP32"><dim>1</dim><dim>2</dim></port></input>'
    b'<output><port id="2" precision="FP32"><dim>-1</dim><dim>2</dim></port></output></layer>'
    b"</layers><edges>"
    b'<edge from-layer="0" from-port="0" to-layer="2" to-port="0" />'
    b'<edge from-layer="1" from-port="0" to-layer="2" to-port="1" />'
    b"</edges></net>"
)
WEIGHTS = bytes(12)


def refusal(xml: bytes, weights: bytes = WEIGHTS) -> str:
    with pytest.raises(BundleError) as caught:
        check_ir(Ir(xml, weights))
    assert caught.value.code == "bad_graph"
    return caught.value.message


def test_a_network_that_stands_alone_passes() -> None:
    check_ir(Ir(XML, WEIGHTS))
    check_ir(Ir(XML, bytes(4000)))


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (b"\n<net", b'\n<!DOCTYPE n [<!ENTITY e "x">]>\n<net', "not plain XML"),
        (b"<layers>", b"<!-- a -->\n<layers>", "not plain XML"),
        (b"<layers>", b"<?p i?><layers>", "not plain XML"),
        (b'<?xml version="1.0"?>', b'<?xml version="1.0" encoding="utf-16"?>', "not plain XML"),
        (b"</edges>", b"</edge>", "no XML"),
        (b'"numpy" />', b'"numpy"/>', "written in another way"),
        (b"<dim>2</dim>", b"<dim>&#50;</dim>", "written in another way"),
        (b"</edges>", b"</edges> ", "written in another way"),
        (b"</layer></layers>", b"<body /></layer></layers>", "a layer holds 'body'"),
        (b"</edges>", b"</edges><edges />", "not one list of layers and one of edges"),
        (b'<net name="n" version="11">', b'<net name="n" version="7">', "version 10 or 11"),
        (b'<net name="n"', b'<net path="/x" name="n"', "a net has other attributes"),
        (b"<dim>1</dim>", b"<edges />", "a port holds 'edges'"),
        (b'id="2" name="c"', b'id="7" name="c"', "not numbered in order"),
        (b'type="Add" version="opset1"', b'type="Add" version="extension"', "not of OpenVINO's own: 'Add'"),
        (b'type="Add"', b'type="ReadValue"', "it has a ReadValue"),
        (b'type="Add"', b'type="Const"', "'Const' reads something"),
        (b'type="Const"', b'type="Broadcast"', "'Broadcast' reads something, or nothing"),
        (b"<dim>1</dim>", b"<dim>-2</dim>", "a side of a tensor is '-2'"),
        (b"<dim>1</dim>", b"<dim>2147483648</dim>", "a side of a tensor is '2147483648'"),
        (b'offset="4"', b'offset="5"', "outside the weights"),
        (b'offset="4"', b'offset="-4"', "the offset of a data is no number"),
        (b'offset="4"', b'offset="04"', "the offset of a data is no number"),
        (b'size="8"', b'size="4"', "not as long as its shape says"),
        (b'shape="1, 2"', b'shape="1, 922337203685477580"', "not as long as its shape says"),
        (b'shape="1, 2"', b'shape="1, x"', "an unknown kind"),
        (b'element_type="f32" shape="1', b'element_type="string" shape="1', "an unknown kind"),
        (b'from-layer="1"', b'from-layer="9"', "an edge leads backwards, nowhere"),
        (b'from-layer="0" from-port="0"', b'from-layer="2" from-port="2"', "an edge leads backwards"),
        (b'to-port="1"', b'to-port="0"', "where another one leads"),
        (b'<edge from-layer="1" from-port="0" to-layer="2" to-port="1" />', b"", "fed by nothing"),
    ],
)
def test_what_no_recognizer_needs_is_refused(old: bytes, new: bytes, why: str) -> None:
    assert old in XML
    changed = XML.replace(old, new, 1)

    assert re.search(why, refusal(changed))


def test_constants_that_are_cut_short_are_refused() -> None:
    assert "outside the weights" in refusal(XML, WEIGHTS[:-1])


@pytest.mark.parametrize("xml", [b"", b"\x00", b'<?xml version="1.0"?>\n', XML[:-1], b"<a>" * 100_000])
def test_what_is_no_description_is_refused(xml: bytes) -> None:
    assert "cannot be used" in refusal(xml)


def test_what_is_nested_deeply_ends_in_a_refusal() -> None:
    deep = b'<?xml version="1.0"?>\n' + b"<net>" * 50_000 + b"</net>" * 50_000

    assert "cannot be used" in refusal(deep)


@settings(max_examples=300)
@given(place=st.integers(0, len(XML) - 1), new=st.binary(max_size=4), gone=st.integers(0, 4))
def test_whatever_is_changed_nothing_but_other_names_and_numbers_passes(
    place: int, new: bytes, gone: int
) -> None:
    changed = Ir(XML[:place] + new + XML[place + gone :], WEIGHTS)

    with suppress(BundleError):  # no other error comes out
        check_ir(changed)
        assert re.fullmatch(rb"[-0-9]*", re.sub(rb"<[^>]*>", b"", changed.xml).strip())  # sides alone
        assert changed.xml.count(b"<") == XML.count(b"<")

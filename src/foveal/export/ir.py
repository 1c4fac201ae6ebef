"""From an ONNX graph to OpenVINO's own form, written so that equal graphs give equal bytes."""

import tempfile
from pathlib import Path
from xml.etree import ElementTree as Xml

from foveal.bundle import archive
from foveal.bundle.archive import Members
from foveal.bundle.engines._contract import OUTPUTS, SCENE_OUTPUTS
from foveal.bundle.engines.openvino import core
from foveal.bundle.ir import Ir, written
from foveal.bundle.session import NEXT_WINDOW, UNKNOWN, WINDOW
from foveal.core import extras

_NAMED = {"images", WINDOW, *OUTPUTS, UNKNOWN, NEXT_WINDOW}.union(*SCENE_OUTPUTS)


def ir(model: bytes) -> Ir:
    """Return a network in OpenVINO's form, its weights as they are (nothing becomes float16).

    Args:
        model: A serialized ONNX graph.

    Raises:
        MissingExtraError: OpenVINO is not installed.
    """
    openvino = extras.openvino(what="its form of a network")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.xml"
        network = core().read_model(model)
        openvino.save_model(network, path, compress_to_fp16=False)
        ends = {name for port in (*network.inputs, *network.outputs) for name in port.names}
        return Ir(_plain(path.read_bytes(), ends & _NAMED), path.with_suffix(".bin").read_bytes())


def with_ir(source: Members, path: Path) -> None:
    """Seal a bundle again with OpenVINO's form of its graph inside; it gets another digest.

    Args:
        source: The bundle; report and certificate attached to it are about the other digest, and left out.
        path: The file to write; one that is there is replaced.

    Raises:
        MissingExtraError: OpenVINO is not installed.
        BundleError: The form holds something that no recognizer needs.
        WriteError: It cannot be written.
    """
    form = ir(source.model)
    archive.seal(
        path, source.manifest.draft(), model=source.model, golden=source.vectors, ir=form, force=True
    )


def _plain(xml: bytes, ends: set[str]) -> bytes:
    """Return a description without what depends on the process that wrote it.

    Names that the exporter gave or that were counted on (`Constant_1734`) become kind and number; only what
    goes in and comes out keeps its name. The note of the version that wrote it goes.

    Args:
        xml: As OpenVINO writes it.
        ends: Names of what goes in and comes out.
    """
    net = Xml.fromstring(xml)
    for note in net.findall("rt_info"):
        net.remove(note)
    net.set("name", "recognizer")
    for layer in net.iterfind("layers/layer"):
        layer.set("name", f"{layer.get('type')}_{layer.get('id')}")
        layer.attrib.pop("output_names", None)  # of a result: the port that feeds it has the name
        for note in layer.findall("rt_info"):
            layer.remove(note)
    for port in net.iter("port"):
        kept = [name for name in port.get("names", "").split(",") if name in ends]
        port.attrib.pop("names", None)
        if kept:
            port.set("names", ",".join(kept))
    for element in net.iter():
        element.text = element.text if element.tag == "dim" else None
        element.tail = None
    return written(net)

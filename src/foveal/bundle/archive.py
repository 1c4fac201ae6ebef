"""The file `NAME.foveal`: sealed once, read whole, believed only as far as its hashes reach."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from foveal.bundle import container, foreign, golden_defects, golden_objects, golden_regions
from foveal.bundle.card import model_card
from foveal.bundle.container import tampered
from foveal.bundle.enclosed import Enclosed
from foveal.bundle.enclosed import to_bytes as enclosed_bytes
from foveal.bundle.golden import Golden, from_bytes, to_bytes
from foveal.bundle.golden_defects import GoldenDefects
from foveal.bundle.golden_objects import GoldenObjects
from foveal.bundle.golden_regions import GoldenRegions
from foveal.bundle.graph import check_graph
from foveal.bundle.ir import Ir, check_ir
from foveal.bundle.manifest import GOLDEN_OUTPUTS, Draft, Manifest, golden_members, parse
from foveal.core.errors import BundleError, ImageError, NotFoundError, UsageError, WriteError
from foveal.core.files import write_bytes
from foveal.core.task import OBJECT_TASKS
from foveal.data.tree import read_regular

SUFFIX = ".foveal"
_REQUIRED = ("manifest.json", "model.onnx", "golden_inputs.npy", "README.md")  # and golden answers, by task
_GOLDEN = tuple(sorted({name for task in ("classify", *GOLDEN_OUTPUTS) for name in golden_members(task)}))
_UNKNOWN = "golden_unknown.npy"  # where the graph says how unknown a picture is
_SAID = "golden_attributes.npy"  # where a detector tells of objects more than their class
_IR = ("openvino/model.xml", "openvino/model.bin")  # both or none
REPORT, CERTIFICATE = "report.json", "certificate.json"  # about the bundle, and not part of its digest
TAUGHT = ("taught/features.npy", "taught/labels.npy", "taught/units.npy")  # all or none; decide nothing
CONTENTS = "taught/contents.npy"  # beside those: what the pictures were, which then measure nothing
_NAMES = (
    "manifest.json",
    "model.onnx",
    "golden_inputs.npy",
    *(name for name in _GOLDEN if name != "golden_inputs.npy"),
    "README.md",
    _UNKNOWN,
    _SAID,
    *_IR,
    *TAUGHT,
    CONTENTS,
    REPORT,
    CERTIFICATE,
)
_SIZE_CAP = 1 << 30

Content = bytes | memoryview
Vectors = Golden | GoldenObjects | GoldenRegions | GoldenDefects


@dataclass(frozen=True)
class Members:
    """What a verified bundle holds.

    Attributes:
        manifest: What it says about itself.
        model: The serialized ONNX graph; it stands alone.
        vectors: Inputs and answers to compare an engine with.
        readme: The model card, Markdown.
        size_bytes: Length of the file.
        enclosed: Documents about the bundle, by name of the member; they are read when asked for.
        forms: The graph in an engine's own form, by the engine's file in `bundle/engines`.
        taught: What a few pictures taught it, by name of the member; empty where it was trained.
    """

    manifest: Manifest
    model: bytes = field(repr=False)
    vectors: Vectors = field(repr=False)
    readme: str = field(repr=False)
    size_bytes: int
    enclosed: Mapping[str, Enclosed] = field(default_factory=dict, repr=False)
    forms: Mapping[str, Ir] = field(default_factory=dict, repr=False)
    taught: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    @property
    def golden(self) -> Golden:
        """The golden vectors of a classifier.

        Raises:
            UsageError: `other_task`: it is none.
        """
        if not isinstance(self.vectors, Golden):
            raise UsageError(
                f"this recognizer says where something is ({self.manifest.task}); it is no classifier",
                code="other_task",
            )
        return self.vectors

    @property
    def report(self) -> dict[str, Any] | None:
        """The attached evaluation, or None; `BundleError` where it is not to be trusted."""
        return document(self.enclosed, REPORT)

    @property
    def certificate(self) -> dict[str, Any] | None:
        """The attached certificate, or None; `BundleError` where it is not to be trusted."""
        return document(self.enclosed, CERTIFICATE)


def document(enclosed: Mapping[str, Enclosed], name: str) -> dict[str, Any] | None:
    """Return what the member `name` says, or None where there is none.

    Raises:
        BundleError: It is too long, no JSON object, or about another bundle.
    """
    return enclosed[name].document if name in enclosed else None


def seal(
    path: str | Path,
    draft: Draft,
    *,
    model: bytes,
    golden: Vectors,
    ir: Ir | None = None,
    force: bool = False,
) -> Manifest:
    """Write a bundle, whole or not at all, and return its manifest.

    Args:
        path: File to write; its name ends in `.foveal`.
        draft: What the maker states.
        model: The serialized ONNX graph.
        golden: As `golden.measure` took them from a session of this very graph.
        ir: The graph in OpenVINO's own form, too.
        force: Replace a file that is there.

    Raises:
        UsageError: The name has another ending.
        WriteError: The file is there already, or cannot be written.
        BundleError: The parts do not fit each other, or the graph does not stand alone.
    """
    path = Path(path)
    _check_name(path)
    if path.exists() and not force:
        raise WriteError(f"{path} is there already", code="would_overwrite", hint="add --force", path=path)
    forms = {} if ir is None else dict(zip(_IR, (ir.xml, ir.weights), strict=True))
    return _sealed(path, draft, {**_members(draft, model, golden), **forms})


def seal_taught(
    path: Path, draft: Draft, *, model: bytes, golden: Golden, taught: Mapping[str, bytes]
) -> Manifest:
    """Write a bundle that can be taught more, in place of one that is there, and return its manifest.

    Args:
        path: File to write; its name ends in `.foveal`.
        draft: What the maker states.
        model: The serialized ONNX graph.
        golden: Of a session of this very graph.
        taught: What it can be fitted again from, by name of the member: all of `TAUGHT`, perhaps `CONTENTS`.

    Raises:
        UsageError: The name has another ending.
        WriteError: It cannot be written; a file that is there is as it was.
        BundleError: The parts do not fit each other, or the graph does not stand alone.
    """
    _check_name(path)
    return _sealed(path, draft, {**_members(draft, model, golden), **taught})


def _check_name(path: Path) -> None:
    if path.suffix != SUFFIX:
        raise UsageError(f"a bundle's name ends in {SUFFIX}; got {path.name!r}", path=path)


def _members(draft: Draft, model: bytes, golden: Vectors) -> dict[str, Content]:
    vectors = {name: to_bytes(array) for name, array in golden.members.items()}
    return {"model.onnx": model, **vectors, "README.md": model_card(draft).encode()}


def _sealed(path: Path, draft: Draft, members: dict[str, Content]) -> Manifest:
    manifest = Manifest.seal(draft, _hashes(members))
    content = _pack(manifest.as_json(), members)
    _verified(content, path)  # what is written can be read
    write_bytes(path, content)
    return manifest


def attach_report(path: str | Path, report: Mapping[str, Any]) -> None:
    """Put an evaluation into a bundle, in place of an earlier one; the digest stays as it is.

    Args:
        path: The bundle.
        report: A JSON document whose `digest` is the bundle's.

    Raises:
        UsageError: The report is about another bundle.
        BundleError: The bundle is not sound.
        WriteError: It cannot be written; `too_many_bytes`: more than 8 MiB.
    """
    _attach(Path(path), REPORT, report)


def attach_certificate(path: str | Path, certificate: Mapping[str, Any]) -> None:
    """Put a certificate into a bundle, in place of an earlier one; the digest stays as it is.

    Args:
        path: The bundle.
        certificate: A `foveal.certify/1` document whose `digest` is the bundle's.

    Raises:
        UsageError: The certificate is about another bundle.
        BundleError: The bundle is not sound.
        WriteError: It cannot be written; `too_many_bytes`: more than 8 MiB.
    """
    _attach(Path(path), CERTIFICATE, certificate)


def _attach(path: Path, name: str, about_it: Mapping[str, Any]) -> None:
    with about(path):
        manifest, members = _open(_content(path), path)
    if about_it.get("digest") != manifest.digest:
        about_what = f"the {name.removesuffix('.json')} is about {about_it.get('digest')!r}"
        raise UsageError(f"{about_what}, the bundle is {manifest.digest!r}", path=path)
    written = json.loads(bytes(members.pop("manifest.json")))  # entries as they are: the digest is over these
    members[name] = enclosed_bytes(about_it, name=name, path=path)
    write_bytes(path, _pack({**written, "members": _hashes(members)}, members))


def read(path: str | Path) -> Members:
    """Return what a bundle holds, after comparing every hash with the very bytes that are returned.

    The file is read once; nothing in it is executed, and nothing is unpacked to disk.

    Raises:
        NotFoundError: There is no such file.
        BundleError: `not_a_bundle`, `tampered`, `unknown_schema`, `bad_graph` …; nothing was loaded.
    """
    path = Path(path)
    with about(path):
        return _verified(_content(path), path)


@contextmanager
def about(path: Path) -> Iterator[None]:
    """Note in every `BundleError` raised inside which file it is about."""
    try:
        yield
    except BundleError as error:
        error.path = error.path or str(path)
        raise


def _content(path: Path) -> bytes:
    if path.is_dir():
        raise BundleError(f"{path} is a folder", code="not_a_bundle", hint="name the .foveal file")
    try:
        content = read_regular(path, _SIZE_CAP + 1)
    except ImageError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise NotFoundError(f"there is no {path}", path=path) from None
        raise BundleError(error.message, code=error.code) from error
    if len(content) > _SIZE_CAP:
        raise BundleError(f"{path} is larger than {_SIZE_CAP} bytes", code="too_many_bytes")
    return content


def _verified(content: bytes, path: Path) -> Members:
    """Return what a bundle's bytes hold, after every check that needs no engine."""
    manifest, members = _open(content, path)
    model = bytes(members["model.onnx"])
    check_graph(model)
    return Members(
        manifest=manifest,
        model=model,
        vectors=_vectors(members, manifest),
        readme=bytes(members["README.md"]).decode("utf-8", "replace"),
        size_bytes=len(content),
        enclosed={
            name: Enclosed(name, bytes(members[name]), manifest.digest, path)
            for name in (REPORT, CERTIFICATE)
            if name in members
        },
        forms=_forms(members),
        taught={name: bytes(members[name]) for name in (*TAUGHT, CONTENTS) if name in members},
    )


def _vectors(members: Mapping[str, Content], manifest: Manifest) -> Vectors:
    found = {name: bytes(members[name]) for name in golden_members(manifest.task)}
    if manifest.task == "segment":
        return golden_regions.from_members(found, preprocess=manifest.preprocess)
    if manifest.task == "defect":
        return golden_defects.from_members(found, preprocess=manifest.preprocess, kinds=manifest.kinds)
    if manifest.task in OBJECT_TASKS:
        rule = manifest.objects
        if _SAID in members:
            found[_SAID] = bytes(members[_SAID])
        return golden_objects.from_members(
            found,
            preprocess=manifest.preprocess,
            answers=rule.objects,
            values=sum(len(one.values) for one in rule.attributes),
        )
    return from_bytes(
        found["golden_inputs.npy"],
        found["golden_probabilities.npy"],
        bytes(members[_UNKNOWN]) if _UNKNOWN in members else None,
        preprocess=manifest.preprocess,
        classes=len(manifest.classes),
    )


def _forms(members: Mapping[str, Content]) -> dict[str, Ir]:
    if _IR[0] not in members:
        return {}
    ir = Ir(*(bytes(members[name]) for name in _IR))
    check_ir(ir)
    return {"openvino": ir}


def _open(content: bytes, path: Path) -> tuple[Manifest, dict[str, Content]]:
    """Return the manifest and all members as views into `content`, every hash compared."""
    if not container.is_ours(content, first=_NAMES[0]):
        raise foreign.refusal(content, path)
    members: dict[str, Content] = {**container.unpack(content, known=_NAMES)}
    if missing := [name for name in _REQUIRED if name not in members]:
        raise tampered(f"it lacks {', '.join(missing)}")
    if len(halves := [name for name in _IR if name in members]) == 1:
        raise tampered(f"of OpenVINO's form it holds {halves[0]} alone")
    halves = [name for name in TAUGHT if name in members]
    if len(halves) not in (0, len(TAUGHT)) or (CONTENTS in members and not halves):
        raise tampered("of what it was taught it holds a part alone")
    manifest = parse(bytes(members["manifest.json"]))
    golden = golden_members(manifest.task)
    if missing := [name for name in golden if name not in members]:
        raise tampered(f"it lacks {', '.join(missing)}")
    if surplus := [name for name in _GOLDEN if name in members and name not in golden]:
        raise tampered(f"{', '.join(surplus)} are not of the task {manifest.task}")
    if bool(manifest.attributes) != (_SAID in members):
        raise tampered(f"{_SAID} and what the manifest says of attributes do not fit")
    if set(manifest.members) != set(members) - {"manifest.json"}:
        raise tampered("the manifest lists other members than there are")
    for name, expected in manifest.members.items():
        if hashlib.sha256(members[name]).hexdigest() != expected:
            raise tampered(f"{name} does not have the sha256 that the manifest names")
    return manifest, members


def _pack(manifest: Mapping[str, Any], members: Mapping[str, Content]) -> bytes:
    everything = {"manifest.json": _json(manifest), **members}
    return container.pack({name: everything[name] for name in _NAMES if name in everything})


def _hashes(members: Mapping[str, Content]) -> dict[str, str]:
    return {name: hashlib.sha256(members[name]).hexdigest() for name in sorted(members)}


def _json(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()

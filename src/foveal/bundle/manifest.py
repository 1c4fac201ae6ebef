"""What a bundle says about itself: `manifest.json` and the digest that names it (docs/bundle.md)."""

import hashlib
import json
import math
import unicodedata
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NoReturn, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)

from foveal.bundle.container import tampered
from foveal.core.errors import BundleError, UsageError
from foveal.core.task import OBJECT_TASKS, Task
from foveal.data.preprocess import Preprocess
from foveal.tasks.classify.decode import Decision
from foveal.tasks.defect.decode import OUTPUTS as DEFECT_OUTPUTS
from foveal.tasks.defect.decode import DefectDecision
from foveal.tasks.detect.decode import OUTPUTS as OBJECT_OUTPUTS
from foveal.tasks.detect.decode import AttributeDecision, ObjectDecision
from foveal.tasks.judging import Inspection
from foveal.tasks.segment.decode import OUTPUTS as REGION_OUTPUTS
from foveal.tasks.segment.decode import RegionDecision

SCHEMA = "foveal.bundle/1"
MANIFEST_BYTES = 16 << 20  # a hundred thousand class names fit; a manifest is never larger

# Outputs of the graph that golden vectors are kept of, by task; of any other: what classifiers answer.
# Of masks, which are large, it is the share of the map that each covers.
GOLDEN_OUTPUTS: dict[str, tuple[str, ...]] = {
    "detect": OBJECT_OUTPUTS,
    "segment": REGION_OUTPUTS,
    "instance": (*OBJECT_OUTPUTS, "covered"),
    "panoptic": (*OBJECT_OUTPUTS, "covered", *REGION_OUTPUTS),
    "defect": DEFECT_OUTPUTS,
}
_RULES: dict[str, type[BaseModel]] = {
    "segment": RegionDecision,
    "defect": DefectDecision,
    **dict.fromkeys(OBJECT_TASKS, ObjectDecision),
}
Rule = Decision | ObjectDecision | RegionDecision | DefectDecision
DECIDING_IF_THERE = (
    "golden_unknown.npy",
    "golden_attributes.npy",
    "openvino/model.bin",
    "openvino/model.xml",
)


def golden_members(task: str) -> tuple[str, ...]:
    """Return the names of a bundle's golden vectors: the pictures, and what the graph answered for them."""
    outputs = GOLDEN_OUTPUTS.get(task, ("probabilities",))
    return ("golden_inputs.npy", *(f"golden_{name}.npy" for name in outputs))


def deciding_members(task: str) -> tuple[str, ...]:
    """Return what decides an answer, beside the manifest's own entries.

    Everything else may change, and the digest stays.
    """
    return (*golden_members(task), "model.onnx")


Sha256 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]


# Entries of `Model` that earlier versions refuse, and what says nothing there.
_LATER: dict[str, tuple[Any, ...]] = {"precision": ("fp32",), "origin": (None,), "steps": ([], ())}


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Model(_Frozen):
    """The network inside.

    Attributes:
        name: Architecture, as `foveal models` lists it.
        parameters: How many weights it has.
        macs: Multiply-accumulates for one picture, or None where nobody counted them.
        source: Where the weights came from: `scratch`, or the name of what they were fine-tuned from.
        precision: In which the graph holds its weights and computes most products.
        origin: Digest of the bundle that it was made smaller from, or None.
        steps: What was done to that one, in order.
    """

    name: str = Field(min_length=1)
    parameters: int = Field(ge=0)
    macs: int | None = Field(default=None, ge=0)
    source: str
    precision: Literal["fp32", "int8", "int4"] = "fp32"
    origin: Sha256 | None = None
    steps: tuple[str, ...] = ()

    @model_serializer(mode="wrap")
    def _without_what_older_versions_refuse(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave later entries out where they say nothing: then versions that lack them read the bundle."""
        return {k: v for k, v in plain(self).items() if v not in _LATER.get(k, ())}


class Images(_Frozen):
    """How many pictures each role of the split had."""

    fit: int = Field(ge=0)
    calib: int = Field(ge=0)
    test: int = Field(ge=0)


class Data(_Frozen):
    """Which pictures it was made from; their names and contents are not in the bundle.

    Attributes:
        fingerprint: Hash over all pictures and labels.
        split_seed: Seed the split was drawn with.
        images: Pictures in each role.
        split_digest: Hash over which content had which role, or None where nobody noted it: shows whether a
            split that is drawn again is the one that was trained with.
    """

    fingerprint: str
    split_seed: int
    images: Images
    split_digest: Sha256 | None = None


class Licenses(_Frozen):
    """SPDX names, or None where the maker did not say."""

    code: str | None
    weights: str | None
    data: str | None


class Draft(_Frozen):
    """All that the maker of a bundle states; sealing adds the hashes.

    Attributes:
        foveal: Version that made it.
        task: What kind of recognizer it is.
        classes: Names in the order of the model's outputs; unique, Unicode NFC.
        preprocess: From file bytes to the model's input.
        rule: From what the graph answers to what is said; `decision` in JSON.
        temperature: What the logits are divided by, inside the graph; for people, the graph decides.
        model: The network.
        weights_sha256: Hash of the training weights that were exported.
        data: What it was made from.
        licenses: Of code, weights and data.
        inspection: When a part is accepted, rejected or reviewed; None: it inspects nothing.
    """

    schema_: Literal["foveal.bundle/1"] = Field(default="foveal.bundle/1", alias="schema")
    foveal: str
    task: Task = "classify"
    classes: tuple[str, ...] = Field(min_length=1)
    preprocess: Preprocess
    rule: Rule = Field(alias="decision")
    temperature: float = Field(gt=0, allow_inf_nan=False)
    model: Model
    weights_sha256: Sha256
    data: Data
    licenses: Licenses
    inspection: Inspection | None = None

    @model_serializer(mode="wrap")
    def _without_an_inspection_that_is_none(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave the entry out where it says nothing: then versions that lack it read the bundle."""
        return {k: v for k, v in plain(self).items() if k != "inspection" or v is not None}

    @model_validator(mode="after")
    def _rule_of_the_task(self) -> Self:
        if not isinstance(self.rule, _RULES.get(self.task, Decision)):
            raise ValueError(f"a decision of another task than {self.task}")
        return self

    @model_validator(mode="after")
    def _rule_for_every_class(self) -> Self:
        numbers: tuple[Any, ...] = ()
        what = "quantiles"
        if isinstance(self.rule, ObjectDecision):
            numbers, what = self.rule.thresholds, "thresholds"
            things = self.rule.things
            if (things is not None) != (self.task == "panoptic"):
                raise ValueError("what is counted is said of a panoptic recognizer, and of no other")
            if things is not None and not all(0 <= label < len(self.classes) for label in things):
                raise ValueError("a class that is counted is none")
        elif len(self.classes) < 2:
            raise ValueError("what chooses between classes has at least two")
        elif isinstance(self.rule, Decision):
            numbers = self.rule.conformal.quantiles
        elif isinstance(self.rule, DefectDecision) and len(self.rule.thresholds) != self.kinds:
            raise ValueError(f"{self.kinds} kinds of defect, and thresholds for {len(self.rule.thresholds)}")
        if numbers and len(numbers) != len(self.classes):
            raise ValueError(f"{len(self.classes)} classes, and {what} for {len(numbers)}")
        return self

    @model_validator(mode="after")
    def _good_classes_of_a_classifier(self) -> Self:
        good = () if self.inspection is None else self.inspection.good
        inspects = self.inspection is not None and self.task == "classify"
        if inspects != bool(good) or not set(good) < set(self.classes):
            raise ValueError("of a classifier that inspects some classes are good, not all; of others none")
        return self

    @model_validator(mode="after")
    def _frames_where_clips_are_meant(self) -> Self:
        if (self.task == "video") != (self.preprocess.clip is not None):
            raise ValueError("the task is video where the preprocessing takes clips, and nowhere else")
        return self

    @field_validator("classes")
    @classmethod
    def _distinct_normal_names(cls, classes: tuple[str, ...]) -> tuple[str, ...]:
        if "" in classes:
            raise ValueError("a class name is empty")
        for name in classes:
            if unicodedata.normalize("NFC", name) != name:
                raise ValueError(f"class name {name!r} is not in Unicode NFC")
        if len(set(classes)) != len(classes):
            twice = next(name for name in classes if classes.count(name) > 1)
            raise ValueError(f"class name {twice!r} is there twice")
        return classes

    @property
    def decision(self) -> Decision:
        """From probabilities to an answer.

        Raises:
            UsageError: `other_task`: it is no classifier.
        """
        if not isinstance(self.rule, Decision):
            raise UsageError(
                f"this recognizer says where something is ({self.task}); it gives no picture a class",
                code="other_task",
            )
        return self.rule

    @property
    def attributes(self) -> tuple[AttributeDecision, ...]:
        """What is told of objects beside their class; () where nothing is."""
        return self.rule.attributes if isinstance(self.rule, ObjectDecision) else ()

    @property
    def objects(self) -> ObjectDecision:
        """From a detector's answers to objects.

        Raises:
            UsageError: `other_task`: it is no detector.
        """
        if not isinstance(self.rule, ObjectDecision):
            raise UsageError(f"this recognizer does not look for objects ({self.task})", code="other_task")
        return self.rule

    @property
    def defects(self) -> DefectDecision:
        """From maps of defects to the places that are shown.

        Raises:
            UsageError: `other_task`: it does not look for defects.
        """
        if not isinstance(self.rule, DefectDecision):
            raise UsageError(f"this recognizer does not look for defects ({self.task})", code="other_task")
        return self.rule

    @property
    def kinds(self) -> int:
        """Of what looks for defects how many kinds it knows: the first class is what is good."""
        return len(self.classes) - 1

    @property
    def things(self) -> tuple[str, ...]:
        """Of a panoptic recognizer the names of the classes whose objects it counts; none of any other."""
        labels = self.rule.things if isinstance(self.rule, ObjectDecision) else None
        return tuple(self.classes[label] for label in labels or ())

    def as_json(self) -> dict[str, Any]:
        """Return the JSON object that `manifest.json` holds."""
        return self.model_dump(mode="json", by_alias=True)


class Manifest(Draft):
    """What a sealed bundle says about itself.

    Attributes:
        members: sha256 of every other file in the bundle, by name.
        digest: The bundle's name among all bundles; equal digests decide equally.
    """

    members: dict[str, Sha256]
    digest: Sha256

    @classmethod
    def seal(cls, draft: Draft, members: Mapping[str, str]) -> Self:
        """Return the manifest of a bundle whose files have the hashes `members`."""
        document = {**draft.as_json(), "members": dict(members)}
        return cls.model_validate({**document, "digest": digest(document)})

    def draft(self, **changes: Any) -> Draft:
        """Return what the maker stated, some of it changed; the entries are validated again."""
        known = {name: field.alias or name for name, field in Draft.model_fields.items() if name != "schema_"}
        stated = {alias: getattr(self, name) for name, alias in known.items()}
        return Draft(**{**stated, **changes})


def digest(document: Mapping[str, Any]) -> str:
    """Return the sha256 over all that decides an answer, in hexadecimal.

    It is taken over one JSON object with the keys schema, task, classes, preprocess, decision and, where
    there is one, inspection, as they stand in the manifest, and members, with the hashes of the graph, in all
    forms it is there in, and the golden vectors only; written with sorted keys, without spaces, unescaped, as
    UTF-8.
    """
    keys = ("schema", "task", "classes", "preprocess", "decision", "inspection")
    deciding = {key: document[key] for key in keys if key in document}
    members = document["members"]
    there = [name for name in DECIDING_IF_THERE if name in members]
    own = deciding_members(document["task"])
    deciding["members"] = {name: members[name] for name in (*own, *there)}
    text = json.dumps(deciding, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def parse(content: bytes) -> Manifest:
    """Return the manifest that `content` holds, after comparing its digest.

    Raises:
        BundleError: No JSON object, a key twice, unknown or missing, a value outside its range, another
            schema, or a digest that is not that of the entries.
    """
    document = _load(content)
    schema = document.get("schema")
    if schema != SCHEMA:
        raise BundleError(
            f"this bundle has the schema {schema!r}; this foveal reads {SCHEMA!r}",
            code="unknown_schema",
            hint="upgrade: pip install --upgrade foveal",
        )
    try:
        manifest = Manifest.model_validate_json(content, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"])) or "manifest.json"
        raise _wrong(f"{place}: {first['msg']}") from None
    missing = [name for name in deciding_members(manifest.task) if name not in manifest.members]
    if missing:
        raise _wrong(f"no hash of {', '.join(missing)}")
    if manifest.digest != digest(document):
        raise _wrong("the digest is not that of its entries")
    return manifest


def _load(content: bytes) -> dict[str, Any]:
    if len(content) > MANIFEST_BYTES:
        raise _wrong(f"{len(content)} bytes are more than a manifest has")
    try:
        document = json.loads(
            content.decode(), object_pairs_hook=_distinct, parse_constant=_not_json, parse_float=_finite
        )
    except RecursionError:
        raise _wrong("it is nested too deeply") from None
    except ValueError as error:  # also what is not UTF-8
        raise _wrong(str(error)) from None
    if not isinstance(document, dict):
        raise _wrong("it is no JSON object")
    return document


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) != len(pairs):
        raise ValueError("a key is there twice")
    return entries


def _finite(number: str) -> float:
    value = float(number)
    if math.isinf(value):
        raise ValueError(f"{number} is too large")
    return value


def _not_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _wrong(what: str) -> BundleError:
    return tampered(f"manifest.json: {what}")

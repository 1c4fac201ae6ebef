"""What the endpoints say, for their description; answers are written by hand, which is faster."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from foveal.core.task import Task
from foveal.serve.problems import MEDIA_TYPE, STATUS


class ProblemDocument(BaseModel):
    """Why a request was refused (RFC 9457)."""

    type: str = "about:blank"
    title: str = Field(description="The HTTP status in words.")
    status: int
    code: str = Field(description="Stable snake_case name of what is wrong.")
    detail: str
    hint: str | None = Field(description="What to do next.")
    request_id: str


class ErrorObject(BaseModel):
    """Why one of several pictures could not be used."""

    code: str
    message: str
    hint: str | None
    path: str | None


class Prediction(BaseModel):
    """The answer for one picture."""

    source: str = Field(description="`#0` for the first picture.")
    label: str
    confidence: float = Field(ge=0, le=1)
    abstain: bool | None
    set: list[str]
    scores: dict[str, float]
    unknown: bool | None


class Mask(BaseModel):
    """Which pixels an object covers, as run lengths of COCO, column by column."""

    size: list[int] = Field(description="Height and width of the picture.")
    counts: list[int] = Field(description="Pixels outside, inside, outside …")


class FoundObject(BaseModel):
    """One object that was found."""

    label: str
    confidence: float = Field(ge=0, le=1)
    box: list[float] = Field(description="Left, top, right and bottom in pixels of the picture.")
    mask: Mask | None = Field(default=None, description="Only where outlines are found.")
    attributes: dict[str, str] | None = Field(
        default=None, description="What is told of it beside its class, or `unknown`."
    )


class Scene(BaseModel):
    """What is where on one picture: objects, or which share of it each class covers, or both.

    Of what looks for defects how defective it is, and which share of it each kind covers.
    """

    source: str = Field(description="`#0` for the first picture.")
    width: int = Field(description="Of the upright picture in pixels.")
    height: int
    objects: list[FoundObject] | None = Field(default=None, description="The most certain first.")
    counts: dict[str, int] | None = Field(default=None, description="Of each class that was found.")
    areas: dict[str, float] | None = Field(default=None, description="Of each class.")
    score: float | None = Field(default=None, description="Only of defects: larger is worse.")


class Unusable(BaseModel):
    """A picture that could not be used."""

    source: str
    error: ErrorObject


class Predictions(BaseModel):
    """The answers for the pictures of a request, in their order."""

    model: str
    digest: str
    predictions: list[Prediction | Scene | Unusable]


class ModelCard(BaseModel):
    """A model that is served."""

    name: str
    digest: str
    task: Task = Field(description="What it is for.")
    classes: list[str]
    size: int = Field(description="Height of the pictures that enter the graph, in pixels.")
    width: int
    channels: int
    engine: str
    precision: str
    batch: int = Field(description="Pictures of different requests that one run takes.")
    default: bool


class Models(BaseModel):
    """All models that are served."""

    models: list[ModelCard]


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of an endpoint that may refuse with these statuses."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}
    return {status: {"description": _codes(status), "content": content} for status in statuses}


def _codes(status: int) -> str:
    """Return the codes that a problem of this status may have; the words for it differ between Pythons."""
    return "Refused: " + ", ".join(sorted(code for code, its in STATUS.items() if its == status))


class ServerMetadata(BaseModel):
    """What answers here."""

    name: str
    version: str
    extensions: list[str]


class Ready(BaseModel):
    """A model answers."""

    name: str
    ready: bool


class Tensor(BaseModel):
    """Name, type and shape of a tensor."""

    name: str
    datatype: str
    shape: list[int] = Field(description="-1 where any length will do.")


class ModelMetadata(BaseModel):
    """What goes into a model and what comes out."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[Tensor]
    outputs: list[Tensor]


class InputTensor(BaseModel):
    """Pictures: UINT8 [N, H, W, C] at model size, or BYTES [N], picture files in base64."""

    model_config = ConfigDict(extra="forbid")
    name: Literal["images"]
    datatype: Literal["UINT8", "BYTES"]
    shape: list[int] = Field(min_length=1)
    parameters: dict[str, Any] | None = None
    data: list[Any] | None = None


class OutputName(BaseModel):
    """What is asked for: one of the outputs that the model's metadata lists."""

    model_config = ConfigDict(extra="forbid")
    name: Literal[
        "probabilities", "logits", "labels", "boxes", "scores", "masks", "attributes", "regions", "maps"
    ]
    parameters: dict[str, Any] | None = None


class InferRequest(BaseModel):
    """A request for inference."""

    model_config = ConfigDict(extra="forbid")
    id: str | None = Field(default=None, max_length=256)
    parameters: dict[str, Any] | None = None
    inputs: list[InputTensor] = Field(min_length=1, max_length=1)
    outputs: list[OutputName] | None = None


class OutputTensor(BaseModel):
    """Numbers or names."""

    name: str
    datatype: str
    shape: list[int]
    parameters: dict[str, Any] | None = None
    data: list[float] | list[str] | None = None


class InferResponse(BaseModel):
    """What the graph says."""

    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[OutputTensor]


class MonitorState(BaseModel):
    """Do pictures still look like those of the calibration?"""

    model_config = ConfigDict(extra="allow")
    model: str
    digest: str
    dropped: int = Field(description="Pictures of all models that the monitor missed.")
    pictures: int
    verdict: Literal["changed", "no_sign"]
    alarms: list[dict[str, Any]]

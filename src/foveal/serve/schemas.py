"""What the endpoints say, for their description; answers are written by hand, which is faster."""

from typing import Any

from pydantic import BaseModel, Field

from foveal.serve.problems import MEDIA_TYPE


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


class Unusable(BaseModel):
    """A picture that could not be used."""

    source: str
    error: ErrorObject


class Predictions(BaseModel):
    """The answers for the pictures of a request, in their order."""

    model: str
    digest: str
    predictions: list[Prediction | Unusable]


class ModelCard(BaseModel):
    """A model that is served."""

    name: str
    digest: str
    classes: list[str]
    size: int = Field(description="Side of the pictures that enter the graph, in pixels.")
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
    return {status: {"description": "Refused", "content": content} for status in statuses}

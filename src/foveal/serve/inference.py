"""The Open Inference Protocol v2, but for health, which is in `operations`."""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

import foveal
from foveal.bundle.inputs import UInt8
from foveal.bundle.session import Answers
from foveal.core.errors import ImageError
from foveal.serve import tensors
from foveal.serve.answers import gone
from foveal.serve.bodies import body
from foveal.serve.decoding import decoding
from foveal.serve.problems import HttpError, of_picture
from foveal.serve.schemas import InferResponse, ModelMetadata, Ready, ServerMetadata, problems
from foveal.serve.served import Served
from foveal.serve.service import Service

_HEAD = "inference-header-content-length"
_SHAPE = re.compile(rb'"shape"\s*:\s*\[\s*([0-9]{1,4})\b')
_HIDDEN = re.compile(rb"\\u00[67]")  # a letter of plain English, written as a number
_KINDS = ("", "application/json", "application/octet-stream")


class InferenceWork:
    """The pictures of an inference request; see `lane.Work`."""

    def __init__(self, service: Service, model: Served, body: bytes, head: int | None) -> None:
        self._service, self._model = service, model
        self._body, self._head = body, head
        self._question = tensors.Question(None, [])
        self._images: list[UInt8] = []
        self._answers: Answers | None = None

    def read(self, check: Callable[[], None]) -> list[UInt8]:
        """Read the request here, off the event loop: sixteen megabytes of JSON take a while."""
        shape = self._model.predictor.session.input_shape
        bands = self._model.predictor.preprocess.bands
        most = self._service.settings.max_pictures
        known = self._model.outputs
        self._question = tensors.question(
            self._body, self._head, shape=shape, most=most, known=known, bands=bands
        )
        self._body = b""
        given = self._question.pictures
        self._images = self._decoded(given, check) if isinstance(given, list) else list(given)
        return self._images

    def _decoded(self, contents: Sequence[bytes], check: Callable[[], None]) -> list[UInt8]:
        preprocess, most = self._model.predictor.preprocess, self._service.settings.max_pixels
        images = []
        for index, one in enumerate(decoding(contents, preprocess, most_pixels=most, check=check)):
            if isinstance(one, ImageError):
                problem = of_picture(one)
                self._service.metrics.count("decode_errors", problem.code)
                raise HttpError(problem.code, f"picture #{index}: {problem.detail}", hint=problem.hint)
            images.append(one[0])
        return images

    def write(self, answers: Answers | None) -> bytes:
        """Return the answer, as `tensors.parts` reads it."""
        if answers is None:
            raise HttpError("bad_tensor", "there is no picture")
        predictor, self._answers = self._model.predictor, answers
        return tensors.answer(
            answers,
            self._question,
            model=self._model.name,
            version=predictor.digest[:12],
            classes=predictor.classes,
        )

    def after(self) -> None:
        """Count, and tell the monitor: what a tensor holds are the pictures that the model sees."""
        if self._answers is not None:
            predictor, count = self._model.predictor, len(self._images)
            sizes = [predictor.preprocess.sides] * count
            told = predictor.tell(self._answers, sources=[""] * count, sizes=sizes)
            self._service.note(self._model, told, self._images)


def inference(service: Service) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/v2")

    @router.get("", response_model=ServerMetadata, responses=problems(400, 401, 403), summary="What is this?")
    async def server() -> Response:
        return _json({"name": "foveal", "version": foveal.__version__, "extensions": ["binary_tensor_data"]})

    @router.get(
        "/models/{name}",
        response_model=ModelMetadata,
        responses=problems(400, 401, 403, 404),
        summary="What goes in, what comes out?",
    )
    async def metadata(name: str) -> Response:
        return _json(_metadata(service.model(name)))

    @router.get(
        "/models/{name}/ready",
        response_model=Ready,
        responses=problems(400, 401, 403, 404, 503),
        summary="Does this model answer?",
    )
    async def ready(name: str) -> Response:
        model = service.model(name)
        service.check_ready()
        return _json({"name": model.name, "ready": True})

    @router.post(
        "/models/{name}/infer",
        response_model=InferResponse,
        responses=problems(400, 401, 403, 404, 408, 413, 415, 422, 429, 500, 503),
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/InferRequest"}}},
            }
        },
        summary="Numbers in, numbers out.",
    )
    async def infer(request: Request, name: str) -> Response:
        model = service.model(name)
        call = request.scope["foveal.call"]
        call.model = model.name
        service.open_for_work(call.client)
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in _KINDS:
            hint = "-H 'Content-Type: application/json'"
            raise HttpError("type_not_allowed", "send application/json", hint=hint)
        head = _head(request)
        content = await body(request, service)
        if head is not None and head > len(content):
            raise HttpError("bad_tensor", f"{_HEAD} is more than the body has")
        work = InferenceWork(service, model, content, head)
        count = pictures_in(content[:head], service.settings.max_pictures)
        answer = await service.lane.do(model, work, pictures=count, gone=gone(request))
        return _answered(answer)

    return router


def _answered(answer: bytes) -> Response:
    """Return the answer, all JSON or JSON with bytes behind it."""
    length, content = tensors.parts(answer)
    if length == len(content):
        return Response(content, media_type="application/json")
    return Response(content, media_type="application/octet-stream", headers={_HEAD: str(length)})


def pictures_in(text: bytes, most: int) -> int:
    """Return how many pictures a request has, before its JSON is read.

    Where it is read and not refused there are no more: the only shape is that of the tensor, and where there
    are several, or one may be hidden, as many are assumed as there may be.
    """
    if text.count(b'"shape"') != 1 or _HIDDEN.search(text):
        return most
    found = _SHAPE.search(text)
    return max(1, min(most, int(found[1]))) if found else 1


def _head(request: Request) -> int | None:
    given = request.headers.get(_HEAD)
    if given is None:
        return None
    if not (given.isascii() and given.isdecimal() and len(given) < 10):
        raise HttpError("bad_tensor", f"{_HEAD} is a number of bytes")
    return int(given)


def _metadata(model: Served) -> dict[str, Any]:
    return {
        "name": model.name,
        "versions": [model.predictor.digest[:12]],
        "platform": "foveal_onnx",
        "inputs": [
            {
                "name": tensors.INPUT,
                "datatype": "UINT8",
                "shape": [-1, *model.predictor.session.input_shape],
            }
        ],
        "outputs": [
            {"name": name, "datatype": output.datatype, "shape": [-1, *output.sides]}
            for name, output in model.outputs.items()
        ],
    }


def _json(document: Any) -> Response:
    return Response(json.dumps(document), media_type="application/json")

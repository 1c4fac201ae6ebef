"""`POST /v1/predict`: pictures in, answers out."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from foveal.bundle.inputs import UInt8
from foveal.bundle.session import Answers
from foveal.core.errors import FovealError, ImageError
from foveal.core.types import Label, Sighting
from foveal.serve.bodies import BINARY, described, pictures
from foveal.serve.decoding import decoding
from foveal.serve.problems import of_picture
from foveal.serve.schemas import Predictions, problems
from foveal.serve.served import Served
from foveal.serve.service import Service


class Pictures:
    """Picture files of one request; see `lane.Work`."""

    def __init__(self, service: Service, model: Served, contents: Sequence[bytes]) -> None:
        self._service, self._model, self._contents = service, model, contents
        self._errors: dict[int, FovealError] = {}
        self._images: list[UInt8] = []
        self._sizes: list[tuple[int, int]] = []
        self._told: Sequence[Label | Sighting] = []

    def read(self, check: Callable[[], None]) -> list[UInt8]:
        """Decode; one picture that cannot be used ends the request only where it is the only one."""
        preprocess, most = self._model.predictor.preprocess, self._service.settings.max_pixels
        found = decoding(self._contents, preprocess, most_pixels=most, check=check)
        for index, one in enumerate(found):
            if isinstance(one, ImageError):
                self._service.metrics.count("decode_errors", of_picture(one).code)
                self._errors[index] = one
            else:
                self._images.append(one[0])
                self._sizes.append(one[1])
        if len(self._contents) == 1 and self._errors:
            raise of_picture(self._errors[0])
        return self._images

    def write(self, answers: Answers | None) -> bytes:
        """Return the contract's document."""
        predictor = self._model.predictor
        if answers is not None:
            good = [f"#{index}" for index in range(len(self._contents)) if index not in self._errors]
            self._told = predictor.tell(answers, sources=good, sizes=self._sizes)
        answered = iter(self._told)
        predictions = [
            _unusable(index, self._errors[index]) if index in self._errors else next(answered).as_json()
            for index in range(len(self._contents))
        ]
        document = {"model": self._model.name, "digest": predictor.digest, "predictions": predictions}
        return json.dumps(document, allow_nan=False).encode()

    def after(self) -> None:
        """Count, and tell the monitor."""
        self._service.note(self._model, self._told, self._images)


def _unusable(index: int, error: FovealError) -> dict[str, Any]:
    return {"source": f"#{index}", "error": error.as_json()}


def gone(request: Request) -> Callable[[], bool]:
    """Return what tells whether a request's client has left."""
    transport = request.scope.get("foveal.transport")
    return (lambda: False) if transport is None else transport.is_closing


def answers(service: Service) -> APIRouter:
    """Return the route."""
    router = APIRouter()

    @router.post(
        "/v1/predict",
        response_model=Predictions,
        responses=problems(400, 401, 403, 404, 408, 413, 415, 422, 429, 500, 503),
        openapi_extra=described({"type": "array", "items": BINARY}),
        summary="What is on these pictures?",
    )
    async def predict(request: Request, model: str | None = None) -> Response:
        """Answer for the picture file in the body, or for each field `image` of a form."""
        chosen = service.model(model)
        call = request.scope["foveal.call"]
        call.model = chosen.name
        service.open_for_work(call.client)
        contents = await pictures(request, service, most=service.settings.max_pictures)
        work = Pictures(service, chosen, contents)
        answer = await service.lane.do(chosen, work, pictures=len(contents), gone=gone(request))
        return Response(answer, media_type="application/json")

    return router

"""`POST /v1/explain`: what speaks for an answer. One picture at a time, behind all predictions."""

import asyncio
import contextlib
import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from foveal.bundle.predictor import Predictor
from foveal.core.errors import ImageError, UnknownNameError
from foveal.core.task import SCENE_TASKS
from foveal.serve.bodies import BINARY, described, pictures
from foveal.serve.decoding import weigh
from foveal.serve.heat import heat
from foveal.serve.problems import HttpError, of_picture
from foveal.serve.schemas import problems
from foveal.serve.service import Service

_BEHIND = 10  # niceness of the thread: it computes where nobody else wants to
_BUSY_SECONDS = 1  # after which to ask again


class Heatmap(BaseModel):
    """How much each area of a picture speaks for a class."""

    shape: list[int] = Field(description="Rows and columns.")
    unit: str
    values: list[list[float]] = Field(description="Above 0: hiding the area weakens the class.")


class Explanation(BaseModel):
    """What speaks for an answer."""

    model: str
    digest: str
    label: str = Field(description="The answer.")
    about: str = Field(alias="class", description="The class that the map is about.")
    confidence: float = Field(ge=0, le=1, description="Of that class.")
    map: Heatmap
    strongest: float = Field(description="The largest value of the map.")
    png: str = Field(description="The map over the picture at model size, in base64.")


def explanations(service: Service) -> APIRouter:
    """Return the route."""
    router = APIRouter()
    thread = ThreadPoolExecutor(1, thread_name_prefix="foveal-explain", initializer=_step_back)
    turn = asyncio.Lock()

    @router.post(
        "/v1/explain",
        response_model=Explanation,
        responses=problems(400, 401, 403, 404, 408, 413, 415, 422, 429, 500, 503),
        openapi_extra=described(BINARY),
        summary="What speaks for the answer?",
    )
    async def explain(
        request: Request,
        model: str | None = None,
        about: str | None = Query(None, alias="class"),
    ) -> Response:
        """Hide one area of the picture after the other, and say what each costs the class.

        The picture is the file in the body, or the field `image` of a form.

        It takes some 80 answers. A worker explains one picture at a time and refuses more with 503.
        """
        chosen = service.model(model)
        call = request.scope["foveal.call"]
        call.model = chosen.name
        service.open_for_work(call.client)
        [content] = await pictures(request, service, most=1)
        if turn.locked():
            raise HttpError("busy", "another picture is being explained", retry_after=_BUSY_SECONDS)
        async with turn:
            work = partial(_explained, chosen.predictor, content, about, service.settings.max_pixels)
            try:
                found = await asyncio.get_running_loop().run_in_executor(thread, work)
            except UnknownNameError:
                hint = "GET /v1/models lists the classes"
                raise HttpError("unknown_class", "the model has no such class", hint=hint) from None
            except ImageError as error:
                raise of_picture(error) from None
        document = {"model": chosen.name, "digest": chosen.predictor.digest, **found}
        return Response(json.dumps(document, allow_nan=False), media_type="application/json")

    return router


def _explained(predictor: Predictor, content: bytes, about: str | None, most: int) -> dict[str, Any]:
    """Return what `heat` does for a picture file that has no more than so many pixels; in the thread."""
    if predictor.preprocess.clip is not None:
        raise HttpError("bad_request", "what speaks for an answer can be shown of pictures, not of clips")
    if predictor.manifest.task in SCENE_TASKS:
        raise HttpError(
            "bad_request", "only a class has what speaks for it; this model says where things are"
        )
    weigh([content], most)
    return heat(predictor, content, about=about)


def _step_back() -> None:
    with contextlib.suppress(AttributeError, OSError):  # elsewhere than on Linux a thread has no niceness
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _BEHIND)

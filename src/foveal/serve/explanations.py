"""`POST /v1/explain`: what speaks for an answer. One picture at a time, behind all predictions."""

import asyncio
import contextlib
import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from foveal.core.errors import ImageError, UnknownNameError
from foveal.serve.bodies import body
from foveal.serve.heat import heat
from foveal.serve.problems import HttpError, of_picture
from foveal.serve.schemas import problems
from foveal.serve.service import Service

_BEHIND = 10  # niceness of the thread: it computes where nobody else wants to
_BUSY_SECONDS = 1  # after which to ask again
_KINDS = ("application/octet-stream", "image/jpeg", "image/png")  # that are described; any image/* is taken
_RAW = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in _KINDS}


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
        openapi_extra={"requestBody": {"required": True, "content": _RAW}},
        summary="What speaks for the answer?",
    )
    async def explain(
        request: Request,
        model: str | None = None,
        about: str | None = Query(None, alias="class"),
    ) -> Response:
        """Hide one area of the picture in the body after the other, and say what each costs the class.

        It takes some 80 answers. A worker explains one picture at a time and refuses more with 503.
        """
        chosen = service.model(model)
        call = request.scope["foveal.call"]
        call.model = chosen.name
        service.open_for_work(call.client)
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if not (kind.startswith("image/") or kind in ("", "application/octet-stream")):
            raise HttpError("type_not_allowed", "send a picture file as image/* or application/octet-stream")
        content = await body(request, service)
        if turn.locked():
            raise HttpError("busy", "another picture is being explained", retry_after=_BUSY_SECONDS)
        async with turn:
            work = partial(heat, chosen.predictor, content, about=about)
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


def _step_back() -> None:
    with contextlib.suppress(AttributeError, OSError):  # elsewhere than on Linux a thread has no niceness
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _BEHIND)

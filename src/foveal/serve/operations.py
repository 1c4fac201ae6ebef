"""Is it alive, is it ready, which models are there?"""

import json
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from foveal.serve.problems import HttpError
from foveal.serve.schemas import Models, MonitorState, problems
from foveal.serve.served import Served
from foveal.serve.service import Service


def operations(service: Service) -> APIRouter:
    """Return the routes."""
    router = APIRouter()
    place = service.plan.places["notes_dropped"][()]

    @router.get("/v2/health/live", summary="Is the process alive?", responses=problems(400))
    async def live() -> Response:
        return _json({"live": True})

    @router.get("/v2/health/ready", summary="Are all workers and models ready?", responses=problems(400, 503))
    async def ready() -> Response:
        service.check_ready()
        return _json({"ready": True})

    @router.get(
        "/v1/models",
        summary="Which models are there?",
        response_model=Models,
        responses=problems(400, 401, 403),
    )
    async def models() -> Response:
        return _json({"models": [card(model) for model in service.models.values()]})

    @router.get(
        "/v1/monitor",
        summary="Do pictures still look like those of the calibration?",
        response_model=MonitorState,
        responses=problems(400, 401, 403, 404),
    )
    async def monitor(model: str | None = None) -> Response:
        chosen = service.model(model)
        text = service.board.read_text(chosen.index)
        if not text:
            raise HttpError(
                "no_monitor",
                "this bundle keeps nothing of its calibration that pictures could be compared with",
            )
        dropped = int(sum(seat.numbers[place] for seat in service.board.seats))
        told = {"model": chosen.name, "digest": chosen.predictor.digest, "dropped": dropped}
        return _json({**json.loads(text), **told})

    @router.get(
        "/metrics",
        summary="Numbers for Prometheus.",
        response_class=PlainTextResponse,
        responses=problems(400, 401, 403),
    )
    async def metrics() -> Response:
        from foveal.serve import exposition  # here: only who asks for numbers waits for the client library

        return Response(exposition.exposition(service), media_type=exposition.MEDIA_TYPE)

    @router.get("/openapi.json", summary="This description.", responses=problems(400))
    async def openapi(request: Request) -> Response:
        return _json(request.app.openapi())

    return router


def card(model: Served) -> dict[str, Any]:
    """Return what is said of a model."""
    predictor = model.predictor
    return {
        "name": model.name,
        "digest": predictor.digest,
        "task": predictor.manifest.task,
        "classes": list(predictor.classes),
        "size": predictor.preprocess.size,
        "width": predictor.preprocess.sides[1],
        "channels": predictor.preprocess.channels,
        "engine": predictor.session.engine,
        "precision": predictor.precision,
        "batch": model.batch,
        "default": model.index == 0,
    }


def _json(document: Any) -> Response:
    return Response(json.dumps(document), media_type="application/json")

"""Is it alive, is it ready, which models are there?"""

import json
from typing import Any

from fastapi import APIRouter, Response

from foveal.serve.schemas import Models, problems
from foveal.serve.served import Served
from foveal.serve.service import Service


def operations(service: Service) -> APIRouter:
    """Return the routes."""
    router = APIRouter()

    @router.get("/v2/health/live", summary="Is the process alive?", responses=problems(400))
    async def live() -> Response:
        return _json({"live": True})

    @router.get("/v2/health/ready", summary="Are all workers and models ready?", responses=problems(400, 503))
    async def ready() -> Response:
        service.check_ready()
        return _json({"ready": True})

    @router.get(
        "/v1/models", summary="Which models are there?", response_model=Models, responses=problems(400, 401)
    )
    async def models() -> Response:
        return _json({"models": [card(model) for model in service.models.values()]})

    return router


def card(model: Served) -> dict[str, Any]:
    """Return what is said of a model."""
    predictor = model.predictor
    return {
        "name": model.name,
        "digest": predictor.digest,
        "classes": list(predictor.classes),
        "size": predictor.preprocess.size,
        "channels": predictor.preprocess.channels,
        "engine": predictor.session.engine,
        "precision": predictor.precision,
        "batch": model.batch,
        "default": model.index == 0,
    }


def _json(document: Any) -> Response:
    return Response(json.dumps(document), media_type="application/json")

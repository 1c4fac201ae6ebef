"""The application: what is answered under which address."""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request

import foveal
from foveal.serve.answers import answers
from foveal.serve.board import Board
from foveal.serve.explanations import explanations
from foveal.serve.gate import Gate
from foveal.serve.inference import inference
from foveal.serve.operations import operations
from foveal.serve.pages import pages
from foveal.serve.parameters import parameters
from foveal.serve.problems import HttpError
from foveal.serve.schemas import InferRequest, ProblemDocument
from foveal.serve.searching import ServedIndex, searching
from foveal.serve.served import Served
from foveal.serve.service import Service, plan
from foveal.serve.settings import Settings

_DESCRIPTION = """An image recognizer, proven on the file that answers here.

A server that has a token wants it in every request, as `Authorization: Bearer TOKEN`; only health and the
pages need none. Whatever is refused is refused as `application/problem+json`.
"""
ROUTERS = (answers, inference, explanations, searching, operations, pages)


def create(
    models: Sequence[Served], settings: Settings | None = None, *, indexes: Sequence[ServedIndex] = ()
) -> FastAPI:
    """Return the application of a server with one worker, without sockets and processes."""
    board = Board(1, numbers=plan(models).length, texts=len(models))
    board.seats[0].sit(os.getpid())
    seat = board.seats[0]
    return application(Service(models, settings or Settings(), board=board, seat=seat, indexes=indexes))


def application(service: Service) -> FastAPI:
    """Return the application of a worker."""

    @asynccontextmanager
    async def alive(_: FastAPI) -> AsyncIterator[None]:
        service.start()
        yield
        service.stop()

    app = FastAPI(
        title="foveal",
        version=foveal.__version__,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        lifespan=alive,
        dependencies=[Depends(parameters)],
    )
    for router in ROUTERS:
        app.include_router(router(service))
    app.add_middleware(Gate, service=service)
    app.add_exception_handler(HTTPException, _as_problem)
    app.add_exception_handler(RequestValidationError, _as_problem)
    app.openapi = lambda: description(app)  # type: ignore[method-assign]
    return app


def description(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of an application."""
    document = FastAPI.openapi(app)
    schemas = document["components"]["schemas"]
    for model in (ProblemDocument, InferRequest):  # which no function names as its parameter or answer
        described = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(described.pop("$defs", {}))
        schemas[model.__name__] = described
    for name in ("HTTPValidationError", "ValidationError"):  # the framework's refusals are problems here
        schemas.pop(name, None)
    for methods in document["paths"].values():
        for operation in methods.values():
            if "HTTPValidationError" in str(operation["responses"].get("422")):
                del operation["responses"]["422"]
    return document


async def _as_problem(request: Request, error: Exception) -> Any:
    """Raise what the framework refuses as a problem; the gate answers with it."""
    if isinstance(error, RequestValidationError):
        raise HttpError("bad_request", "a parameter of the address is not as described")
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 405:
        allowed = (getattr(error, "headers", None) or {}).get("Allow", "")
        allowed = allowed.replace("GET", "GET, HEAD")  # see `Gate`
        raise HttpError(
            "method_not_allowed",
            "not with this method",
            hint=f"this address takes {allowed}",
            headers={"allow": allowed},
        )
    if status == 404:
        raise HttpError("not_found", "there is nothing at this address")
    raise HttpError("bad_request", "this request is not understood")

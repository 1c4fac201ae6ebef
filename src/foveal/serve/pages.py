"""What people look at: the page to try the recognizers on, and the documentation of the interface."""

from functools import lru_cache

from fastapi import APIRouter, FastAPI, Request, Response

from foveal.serve.docs_page import docs_page
from foveal.serve.page import Page, page
from foveal.serve.service import Service


def pages(_: Service) -> APIRouter:
    """Return the routes."""
    router = APIRouter(include_in_schema=False)

    @lru_cache(maxsize=4)  # people come by few addresses; who makes them up gets no memory for it
    def documentation(app: FastAPI, address: str) -> Page:
        return docs_page(app.openapi(), address=address)

    @router.get("/")
    async def root() -> Response:
        return _html(page())

    @router.get("/docs")
    async def docs(request: Request) -> Response:
        return _html(documentation(request.app, str(request.base_url).rstrip("/")))

    return router


def _html(found: Page) -> Response:
    return Response(found.html, media_type="text/html; charset=utf-8", headers=found.headers)

"""Whether the process lives, whether it can take calls, and its figures."""

from __future__ import annotations

import asyncio

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from runtime.errors import EngineUnavailable
from runtime.server.fleet_metrics import fleet_page
from runtime.server.neighbours import Neighbours
from runtime.server.services import Services


async def health(_request: Request) -> Response:
    """200 as long as the event loop turns: restart the process when this does not answer."""
    return JSONResponse({"status": "ok"})


async def ready(request: Request) -> Response:
    """200 when a new call would be served; 503 with what is missing: send traffic elsewhere."""
    services: Services | None = getattr(request.app.state, "services", None)
    if services is None:
        return JSONResponse({"status": "starting"}, 503)
    checks = {
        "database": await _database(services),
        "engine": _engine(services),
        "calls": "draining" if request.app.state.draining else "ok",
    }
    fine = all(state == "ok" for state in checks.values())
    return JSONResponse({"status": "ready" if fine else "not_ready", "checks": checks}, 200 if fine else 503)


async def metrics(request: Request) -> Response:
    """Prometheus text; :mod:`runtime.metrics` lists every figure. In a fleet, of all its processes."""
    neighbours: Neighbours = request.app.state.neighbours
    page = own_page() if neighbours.alone else await fleet_page(own_page(), neighbours)
    return Response(page, headers={"content-type": CONTENT_TYPE_LATEST})


def own_page() -> str:
    """The figures of this process."""
    return generate_latest(REGISTRY).decode()


async def _database(services: Services) -> str:
    try:
        async with asyncio.timeout(2.0):
            await services.database.ping()
    except Exception as error:  # drivers raise what they like; here it is only told
        return f"failed: {type(error).__name__}"
    return "ok"


def _engine(services: Services) -> str:
    """A pool replaces its dead, so what it says of itself is whether it was ever started."""
    try:
        return "ok" if services.engine.info else "starting"
    except EngineUnavailable as error:
        return f"failed: {error.message}"


routes = [
    Route("/health", health),
    Route("/ready", ready),
    Route("/metrics", metrics),
]

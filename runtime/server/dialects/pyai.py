"""
What PyAI's addresses have in common: keys, errors, pages.

Two shapes of error. Authentication, scope, billing and rate errors are OpenAI's ``{"error": {…}}``; errors
about a request or a resource are RFC 9457 ``application/problem+json`` and carry the same ``error`` member,
so a client of either kind finds what it looks for.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Generic, Literal, NotRequired, TypeVar

from fastapi import Query
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from typing_extensions import TypedDict

from runtime.errors import Forbidden, RateLimited, VivavoceError
from runtime.server.auth import Scheme
from runtime.server.dialects.route import DialectRoute, Refusal

OPENAI_SHAPED = frozenset({401, 402, 403, 429})
"""Statuses below 500 that are not problem+json."""

ERROR_TYPES = {
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    429: "rate_limit_error",
}


class ErrorMember(TypedDict):
    """What was wrong, in every refusal."""

    message: str
    type: str
    code: str
    param: str | None
    reason: NotRequired[str]
    required_scope: NotRequired[str]
    fix: NotRequired[str]


class OpenaiError(TypedDict):
    """Refusals of a key, and failures of ours."""

    error: ErrorMember


class Problem(TypedDict):
    """RFC 9457: refusals of a request."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    error: ErrorMember


def refusal(status: int) -> Refusal:
    """What a refusal of this status looks like."""
    if status in OPENAI_SHAPED or status >= 500:
        return Refusal(OpenaiError)
    return Refusal(Problem, "application/problem+json")


def render_error(error: VivavoceError, request: Request) -> Response:
    """An error as PyAI's clients read it."""
    headers = {}
    if isinstance(error, RateLimited) or (error.status == 503 and hasattr(error, "retry_after")):
        headers["retry-after"] = str(max(1, round(getattr(error, "retry_after", 1.0))))
    if error.status == 401:
        headers["www-authenticate"] = "Bearer"
    member = error_json(error)
    if error.status in OPENAI_SHAPED or error.status >= 500:
        return JSONResponse({"error": member}, error.status, headers)
    problem: Problem = {
        "type": f"{public_url(request)}/problems/{error.code}",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "detail": error.message,
        "request_id": request.state.request_id,
        "error": member,
    }
    return JSONResponse(problem, error.status, headers, media_type="application/problem+json")


def error_json(error: VivavoceError) -> ErrorMember:
    """The ``error`` member of every refusal."""
    member: ErrorMember = {
        "message": error.message,
        "type": ERROR_TYPES.get(
            error.status, "server_error" if error.status >= 500 else "invalid_request_error"
        ),
        "code": "credit_exhausted" if error.status == 402 else error.code,
        "param": getattr(error, "param", None),
    }
    if isinstance(error, Forbidden) and error.required_scope:
        member["reason"] = "insufficient_scope"
        member["required_scope"] = error.required_scope
    if error.fix:
        member["fix"] = error.fix
    return member


def public_url(request: Request) -> str:
    """What the client calls us, without a slash at the end."""
    configured: str | None = request.app.state.settings.public_url
    return (configured or str(request.base_url)).rstrip("/")


class PyaiRoute(DialectRoute):
    schemes = Scheme.BEARER | Scheme.API_KEY
    render = staticmethod(render_error)


Limit = Annotated[int, Query(ge=1, le=100)]
Cursor = Annotated[str | None, Query(max_length=64)]


Row = TypeVar("Row")


class Page(TypedDict, Generic[Row]):
    """A list as PyAI pages it."""

    object: Literal["list"]
    data: list[Row]
    has_more: bool
    next_cursor: str | None
    """What to send as ``cursor`` for the next page."""


def page(data: list[Row], *, more: bool = False, last: str | None = None) -> Page[Row]:
    """
    Args:
        last: Id of the last of ``data``; needed where there are more.
    """
    return {"object": "list", "data": data, "has_more": more, "next_cursor": last if more else None}


def milliseconds(seconds: float | None) -> int | None:
    """Times of keys are in milliseconds, all others in seconds."""
    return None if seconds is None else int(seconds * 1000)

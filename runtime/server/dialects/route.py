"""The way of every REST request: who calls, may they, is the body bounded; and one face for every error."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Protocol, TypeVar

from fastapi import Depends
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive
from typing_extensions import TypedDict

from runtime.errors import InvalidRequest, NotFound, RequestError, UploadTooLarge, VivavoceError
from runtime.server import services
from runtime.server.auth import Principal, Scheme
from runtime.server.once import fingerprint

log = logging.getLogger(__name__)

BodyKind = Literal["json", "upload", "base64"]
"""What a body may carry, and so how large it may be: see :func:`body_limit`."""

JSON_LIMIT_BYTES = 2 * 2**20
IDLE_SECONDS = 30.0
"""Longest pause of a client in the middle of its body."""

FORM_OVERHEAD_BYTES = 64 * 2**10
"""Field names, boundaries and short text fields around the files of a form."""

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Access:
    """What a route asks of a request before its body is read."""

    scope: str | None
    """What the key must be allowed; None is any active key."""
    body: BodyKind
    anyone: bool = False
    """Whether no key is asked for at all."""
    once: bool = False
    """Whether ``Idempotency-Key`` is honoured: it creates or charges."""
    refuses: frozenset[int] = frozenset()
    """Statuses of refusals beyond those that :meth:`refusals` gives to every such route."""

    def refusals(self, *, names: bool, reads: bool) -> frozenset[int]:
        """
        The statuses a request may be refused with.

        Args:
            names: Whether the address names an object, which may not be there.
            reads: Whether there is a body to read.
        """
        statuses = {400, 500, 503} | self.refuses
        if not self.anyone:
            statuses |= {401, 429}
        if self.scope is not None:
            statuses.add(403)
        if names:
            statuses.add(404)
        if reads:
            statuses |= {408, 413}
        if self.once:
            statuses.add(409)
        return frozenset(statuses)


def access(
    scope: str | None = None,
    *,
    body: BodyKind = "json",
    anyone: bool = False,
    once: bool = False,
    refuses: Iterable[int] = (),
) -> Callable[[Endpoint], Endpoint]:
    """Say what an endpoint asks for. A dialect's route without this is refused when the app is built."""

    def mark(endpoint: Endpoint) -> Endpoint:
        endpoint.__access__ = Access(scope, body, anyone, once, frozenset(refuses))  # type: ignore[attr-defined]
        return endpoint

    return mark


class RenderError(Protocol):
    """Turns an error into a dialect's answer."""

    def __call__(self, error: VivavoceError, request: Request) -> Response: ...


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a dialect's refusals of one status look like."""

    model: type
    """A :class:`TypedDict`."""
    media_type: str = "application/json"


class FieldError(TypedDict):
    """One field that failed validation, as FastAPI tells it."""

    loc: list[str | int]
    msg: str
    type: str


class FieldErrors(TypedDict):
    """The body of a 422, in dialects that have it."""

    detail: list[FieldError]


class InvalidFields(InvalidRequest):
    """Fields that failed validation, all of them."""

    def __init__(self, errors: Sequence[Mapping[str, Any]]) -> None:
        first = errors[0]
        where = [str(part) for part in first["loc"] if part not in ("body", "query", "path", "header")]
        param = ".".join(where) or None
        super().__init__(f"{param}: {first['msg']}" if param else str(first["msg"]), param=param)
        self.errors = errors
        """As pydantic reports them: ``loc``, ``msg``, ``type``."""

    def to_json(self) -> FieldErrors:
        return {
            "detail": [
                {"loc": list(one["loc"]), "msg": one["msg"], "type": one["type"]} for one in self.errors
            ]
        }


class DialectRoute(APIRoute):
    """
    A route of one dialect.

    In this order, as every one of the four products answers: authenticate, then the scope, then the body and
    its fields, then whatever the endpoint looks up. So a stranger's upload is refused before it is read, and
    a key without the scope learns nothing about fields.
    """

    schemes: ClassVar[Scheme]
    render: ClassVar[RenderError]

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()
        demanded = getattr(self.endpoint, "__access__", None)
        if not isinstance(demanded, Access):
            raise TypeError(f"{self.endpoint.__qualname__} does not say who may call it; add @access(…)")

        async def handle(request: Request) -> Response:
            try:
                await _admit(request, demanded, self.schemes)
                limit = body_limit(demanded.body, services_of(request).settings.upload_max_bytes)
                body = Request(request.scope, bounded(request, limit))
                room = services_of(request).upload_room if demanded.body != "json" else nullcontext()
                async with room:  # whole recordings are in memory meanwhile
                    if demanded.once and (key := request.headers.get("idempotency-key")):
                        return await _once(body, key, answer, type(self).render)
                    return await answer(body)
            except ClientDisconnect:
                return Response(status_code=499)  # nobody reads it
            except Exception as error:
                return type(self).render(domain_error(error, request), request)

        return handle


async def _admit(request: Request, demanded: Access, schemes: Scheme) -> None:
    if demanded.anyone:
        return
    principal = await services_of(request).authenticator.connection(request, schemes)
    request.state.principal = principal
    services_of(request).limiter.take(principal.key_id, now=services_of(request).clock.now())
    if demanded.scope is not None:
        principal.require(demanded.scope)
    await services_of(request).concurrency.enter(request.scope, principal.key_id)


async def _once(
    request: Request,
    key: str,
    answer: Callable[[Request], Coroutine[Any, Any, Response]],
    render: RenderError,
) -> Response:
    body = await request.body()

    async def replay() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def work(record_id: str) -> Response:
        request.state.once = record_id
        try:
            return await answer(Request(request.scope, replay))
        except ClientDisconnect:
            raise
        except Exception as error:
            return render(domain_error(error, request), request)

    same = fingerprint(request.method, request.url.path, request.headers, body)
    tenant_id: str = request.state.principal.tenant_id
    return await services_of(request).once.run(tenant_id, key, same, work)


def body_limit(kind: BodyKind, upload_max_bytes: int) -> int:
    """Most bytes of a request's body: base64 makes three bytes four."""
    if kind == "upload":
        return upload_max_bytes + FORM_OVERHEAD_BYTES
    if kind == "base64":
        return upload_max_bytes * 4 // 3 + JSON_LIMIT_BYTES
    return JSON_LIMIT_BYTES


def bounded(request: Request, limit: int, *, idle: float = IDLE_SECONDS) -> Receive:
    """
    The request's messages, until there are more than ``limit`` bytes of them.

    A declared length is believed when it is too much, so nothing of such a body is read; a body without one
    is counted as it comes. What the client still sends after the answer, the server reads and drops, so that
    it lives to see the answer.

    Raises:
        UploadTooLarge: On receiving, as the body is what is too large.
        RequestError: 408, when the client pauses for too long.
    """
    read = 0
    receive = request.receive
    declared = request.headers.get("content-length", "")

    async def receive_bounded() -> Message:
        nonlocal read
        if declared.isdigit() and int(declared) > limit:
            raise _too_large(limit)
        try:
            async with asyncio.timeout(idle):
                message = await receive()
        except TimeoutError:
            raise _too_slow(idle) from None
        if message["type"] == "http.request":
            read += len(message.get("body", b""))
            if read > limit:
                raise _too_large(limit)
        return message

    return receive_bounded


def _too_large(limit: int) -> UploadTooLarge:
    return UploadTooLarge(
        f"The request body is larger than {limit} bytes.", fix="send a shorter recording or less text"
    )


def _too_slow(idle: float) -> RequestError:
    slow = RequestError(f"Nothing of the body came for {idle:g} s.", code="request_timeout")
    slow.status = 408
    return slow


def domain_error(error: Exception, request: Request) -> VivavoceError:
    """What went wrong, in the words of :mod:`runtime.errors`; what we did not expect is logged and hidden."""
    if isinstance(error, VivavoceError):
        return error
    if isinstance(error, RequestValidationError):
        problems = error.errors()
        if problems[0]["type"] == "json_invalid":
            return InvalidRequest(
                f"The body is not JSON: {problems[0]['ctx']['error']} at character {problems[0]['loc'][-1]}.",
                code="invalid_json",
                fix="send a JSON object, in UTF-8, with Content-Type: application/json",
            )
        return InvalidFields(problems)
    if isinstance(error, HTTPException):
        if isinstance(error.__cause__, VivavoceError):  # raised while the body was parsed
            return error.__cause__
        return http_error(error)
    log.exception("%s %s failed", request.method, request.url.path, exc_info=error)
    return VivavoceError("Something went wrong on our side.", code="internal_error")


def http_error(error: HTTPException) -> VivavoceError:
    """The framework's own refusals (no such path, wrong method, unreadable form)."""
    if error.status_code == 404:
        return NotFound("There is nothing at this address.")
    refused = RequestError(str(error.detail) + ("" if str(error.detail).endswith(".") else "."))
    refused.status = error.status_code
    if error.status_code == 405:
        refused.code = "method_not_allowed"
    return refused


def services_of(request: Request) -> services.Services:
    """The services the application was built with."""
    built: services.Services = request.app.state.services
    return built


async def _caller(request: Request) -> Principal:
    principal: Principal = request.state.principal
    return principal


async def _services(request: Request) -> services.Services:
    return services_of(request)


async def _once_id(request: Request) -> str | None:
    return getattr(request.state, "once", None)


Once = Annotated[str | None, Depends(_once_id)]
"""The idempotency record of the request, as an endpoint's parameter."""

Caller = Annotated[Principal, Depends(_caller)]
"""The checked caller, as an endpoint's parameter."""

Services = Annotated[services.Services, Depends(_services)]
"""The services, as an endpoint's parameter."""

"""PyAI: transcription jobs. Sent, polled, told by a webhook, and fetched."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict

from runtime.errors import InvalidRequest
from runtime.server.dialects.pyai import Cursor, Limit, Page, PyaiRoute, page, public_url
from runtime.server.dialects.route import Caller, InvalidFields, Once, Services, access
from runtime.server.dialects.sound import BINARY
from runtime.server.transcriptions import MEDIA_TYPES, OutputFormat, TranscriptionOrder, result_blob
from runtime.store.transcriptions import TranscriptionRow

router = APIRouter(prefix="/v1/transcribe/jobs", route_class=PyaiRoute, tags=["pyai"])


class JobFields(BaseModel):
    """What may be asked of a recording; in a form, ``output_formats`` is repeated or a list with commas."""

    model_config = ConfigDict(extra="forbid")

    audio_url: Annotated[str | None, Field(max_length=4_096)] = None
    language: Annotated[str, Field(min_length=2, max_length=35)] = "en"
    output_formats: Annotated[list[OutputFormat], Field(min_length=1, max_length=3)] = ["json"]
    channel: bool = False
    """Whether each channel is a speaker of its own."""
    diarize: bool = False
    webhook_url: Annotated[str | None, Field(max_length=2_048)] = None


class JobError(TypedDict):
    code: str
    message: str
    fix: str | None


class Output(TypedDict):
    format: str
    url: str


class Job(TypedDict):
    object: Literal["transcription.job"]
    job_id: str
    id: str
    status: Literal["queued", "processing", "completed", "failed"]
    language: str
    output_formats: list[str]
    channel: bool
    webhook_url: str | None
    duration_seconds: float | None
    outputs: list[Output]
    """Addresses that need no key and work for a day."""
    error: JobError | None
    created_at: int
    updated_at: int
    webhook_secret: NotRequired[str]
    """Signs what is sent to ``webhook_url``; only in the answer that made the job."""


STATES: dict[str, Literal["queued", "processing", "completed", "failed"]] = {
    "queued": "queued",
    "processing": "processing",
    "completed": "completed",
    "failed": "failed",
}

FIELDS = JobFields.model_json_schema()
BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": FIELDS},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {**FIELDS["properties"], "file": {"type": "string", "format": "binary"}},
                }
            },
        },
    }
}


@router.post("", status_code=202, openapi_extra=BODY)
@access("transcribe:jobs", body="upload", once=True, refuses=(415,))
async def create_job(request: Request, caller: Caller, services: Services, once: Once) -> Job:
    """Have a recording transcribed: the part ``file`` of a form, or JSON with ``audio_url``."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    data, filename = None, None
    if kind == "multipart/form-data":
        async with request.form() as form:
            file = form.get("file")
            if isinstance(file, UploadFile):
                data, filename = await file.read(), file.filename
            elif file is not None:
                raise InvalidRequest(
                    "file is text.", param="file", fix="send the recording as a file, curl: -F file=@call.wav"
                )
            sent: Any = {name: form[name] for name in form if name != "file"}
            if "output_formats" in sent:
                listed = [str(value) for value in form.getlist("output_formats")]
                sent["output_formats"] = [one.strip() for value in listed for one in value.split(",")]
    else:
        try:
            sent = await request.json()
        except ValueError:
            raise InvalidRequest(
                "The body is not JSON.",
                code="invalid_json",
                fix="send a form with the part file, or a JSON object with audio_url",
            ) from None
    try:
        fields = JobFields.model_validate(sent)
    except ValidationError as error:
        raise InvalidFields([{**one, "loc": ("body", *one["loc"])} for one in error.errors()]) from error
    if fields.diarize:
        raise InvalidRequest(
            "diarize is not offered: this server does not tell voices in one channel apart.",
            code="diarize_not_supported",
            param="diarize",
            fix="record each speaker on a channel of their own, and set channel",
        )
    row, secret = await services.transcriptions.create(
        caller.tenant_id,
        TranscriptionOrder(
            data=data,
            filename=filename,
            audio_url=fields.audio_url,
            language=fields.language,
            formats=tuple(dict.fromkeys(fields.output_formats)),
            by_channel=fields.channel,
            webhook_url=fields.webhook_url,
            once=once,
        ),
    )
    job = job_json(row, request, services)
    if secret is not None:
        job["webhook_secret"] = secret
    return job


@router.get("")
@access("transcribe:jobs")
async def list_jobs(
    request: Request, caller: Caller, services: Services, limit: Limit = 20, cursor: Cursor = None
) -> Page[Job]:
    """Your jobs, newest first."""
    rows, more = await services.transcriptions.page(caller.tenant_id, limit=limit, after=cursor)
    jobs = [job_json(row, request, services) for row in rows]
    return page(jobs, more=more, last=rows[-1].id if rows else None)


@router.get("/{id}")
@access("transcribe:jobs")
async def get_job(request: Request, caller: Caller, services: Services, id: str) -> Job:
    """How far a job is."""
    return job_json(await services.transcriptions.get(caller.tenant_id, id), request, services)


@router.get(
    "/{id}/result",
    response_class=Response,
    responses={200: {"content": {kind: BINARY for kind in MEDIA_TYPES.values()}}},
)
@access("transcribe:jobs")
async def get_result(
    caller: Caller,
    services: Services,
    id: str,
    format: Annotated[OutputFormat, Query()] = "json",
) -> Response:
    """The words of a completed job, in one of its ``output_formats``."""
    row = await services.transcriptions.get(caller.tenant_id, id)
    return Response(await services.transcriptions.result(row, format), media_type=MEDIA_TYPES[format])


@router.delete("/{id}", status_code=204)
@access("transcribe:jobs")
async def delete_job(caller: Caller, services: Services, id: str) -> Response:
    """Forget a job, its recording and its words; one that is not done yet is given up."""
    await services.transcriptions.delete(caller.tenant_id, id)
    return Response(status_code=204)


def job_json(row: TranscriptionRow, request: Request, services: Services) -> Job:
    done = row.state == "completed"
    return {
        "object": "transcription.job",
        "job_id": row.id,
        "id": row.id,
        "status": STATES[row.state],
        "language": row.order["language"],
        "output_formats": row.order["formats"],
        "channel": row.order["by_channel"],
        "webhook_url": row.webhook_url,
        "duration_seconds": None if row.seconds is None else round(row.seconds, 3),
        "outputs": [
            {
                "format": wanted,
                "url": public_url(request)
                + services.files.address(row.tenant_id, result_blob(row.id, wanted), MEDIA_TYPES[wanted]),
            }
            for wanted in (row.order["formats"] if done else ())
        ],
        "error": None
        if row.error is None
        else {"code": row.error["code"], "message": row.error["message"], "fix": row.error["fix"]},
        "created_at": int(row.created_at),
        "updated_at": int(row.updated_at),
    }

"""OpenAI's ``/v1/audio/transcriptions`` over whatever recogniser this server runs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Form, UploadFile
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from runtime.errors import InvalidRequest
from runtime.server import transcripts
from runtime.server.dialects.pyai import PyaiRoute
from runtime.server.dialects.route import Caller, Services, access
from runtime.server.dialects.sound import NO_BUFFERING

router = APIRouter(prefix="/v1/audio", route_class=PyaiRoute, tags=["openai"])

Format = Literal["json", "text", "srt", "verbose_json", "vtt"]
Granularity = Literal["word", "segment"]


ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "By `response_format`; with `stream`, events `transcript.text.delta` and `…done`.",
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["text", "usage"],
                    "properties": {"text": {"type": "string"}, "usage": {"type": "object"}},
                }
            },
            **{
                kind: {"schema": {"type": "string"}}
                for kind in ("text/plain", "application/x-subrip", "text/vtt", "text/event-stream")
            },
        },
    }
}


@router.post("/transcriptions", response_class=Response, responses=ANSWERS)
@access("hear:transcribe", body="upload", refuses=(422,))
async def create_transcription(
    caller: Caller,
    services: Services,
    file: Annotated[UploadFile, File()],
    model: Annotated[str, Form(max_length=255, description="Any name; the server has one recogniser.")],
    language: Annotated[str, Form(min_length=2, max_length=35)] = "en",
    response_format: Annotated[Format, Form()] = "json",
    granularities: Annotated[list[Granularity] | None, Form(alias="timestamp_granularities[]")] = None,
    stream: Annotated[bool, Form()] = False,
    prompt: Annotated[str | None, Form(description="Accepted; the embedded recogniser ignores it.")] = None,
    temperature: Annotated[float | None, Form(description="Accepted; recognition is deterministic.")] = None,
) -> Response:
    """The words of a recording; with ``stream`` they are sent as they are recognised."""
    if granularities and response_format != "verbose_json":
        raise InvalidRequest(
            "timestamp_granularities go with response_format verbose_json.",
            param="timestamp_granularities",
        )
    cut = await services.transcriber.cut(await file.read())
    recognised = services.transcriber.segments(cut, language=language)
    if stream:
        return StreamingResponse(
            transcripts.events(recognised, cut.seconds), media_type="text/event-stream", headers=NO_BUFFERING
        )
    segments = [segment async for segment in recognised]
    match response_format:
        case "json":
            return JSONResponse(transcripts.short_json(segments, cut.seconds))
        case "verbose_json":
            wanted = granularities or ["segment"]
            answer = transcripts.verbose_json(
                segments, cut.seconds, language=language, words="word" in wanted, parts="segment" in wanted
            )
            return JSONResponse(answer)
        case "text":
            return PlainTextResponse(transcripts.full_text(segments) + "\n")
        case "srt":
            return PlainTextResponse(transcripts.subrip(segments), media_type="application/x-subrip")
        case "vtt":
            return PlainTextResponse(transcripts.web_vtt(segments), media_type="text/vtt")

"""ElevenLabs' streaming input over WebSockets: text in as it is written, audio out as it is spoken."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from runtime.errors import InvalidRequest, Unauthorized, VivavoceError
from runtime.media.encode import StreamEncoder
from runtime.server.auth import Principal, Scheme
from runtime.server.dialects.elevenlabs import DEFAULT_FORMAT, SpeechBody, order
from runtime.server.services import Services
from runtime.server.speech import SpeechOrder
from runtime.wire.alignment import CharacterClock
from runtime.wire.elevenlabs import (
    Action,
    Begin,
    CloseSocket,
    Finish,
    Flush,
    Say,
    StreamInput,
    audio_message,
    error_message,
    final_message,
)
from tts.stream import SpeechStream

log = logging.getLogger(__name__)

MAX_CONTEXTS = 16
"""Utterances side by side on one connection."""

MAX_INACTIVITY_SECONDS = 180.0
INACTIVITY_SECONDS = 20.0

POLICY_VIOLATION = 1008
NORMAL_CLOSURE = 1000


class Utterance:
    """
    One context: the stretches of text between flushes, spoken one after the other into one encoder.

    Args:
        tell: Sends a message to the client.
        name: What the client calls the context; None where there is only one.
    """

    def __init__(
        self,
        open_stream: Callable[[], SpeechStream],
        encoder: StreamEncoder,
        tell: Callable[[str], Awaitable[None]],
        *,
        name: str | None,
    ) -> None:
        self._open_stream = open_stream
        self._encoder = encoder
        self._tell = tell
        self._name = name
        self._stretches: asyncio.Queue[SpeechStream | None] = asyncio.Queue()
        self._writing: SpeechStream | None = None

    def say(self, text: str) -> None:
        if self._writing is None:
            self._writing = self._open_stream()
            self._stretches.put_nowait(self._writing)
        self._writing.push(text)

    def flush(self) -> None:
        """What was said so far is complete; what follows is spoken after it."""
        if self._writing is not None:
            self._writing.finish()
            self._writing = None

    def finish(self) -> None:
        self.flush()
        self._stretches.put_nowait(None)

    async def speak(self) -> None:
        """Send everything, then say that it was everything."""
        try:
            while (stretch := await self._stretches.get()) is not None:
                try:
                    await self._speak(stretch)
                finally:
                    stretch.cancel()
            if rest := self._encoder.finish():
                await self._tell(audio_message(self._name, rest, CharacterClock("").rest(0.0), since=0.0))
            await self._tell(final_message(self._name))
        except VivavoceError as error:
            await self._tell(error_message(self._name, error.message, error.code))

    async def _speak(self, stretch: SpeechStream) -> None:
        clock = CharacterClock("")
        told = 0.0
        async for block in stretch:
            clock.extend(stretch.text)
            data = self._encoder.push(block.samples)
            characters = clock.take(block.words)
            if data or characters.text:
                await self._tell(audio_message(self._name, data, characters, since=told))
            told = characters.ends[-1] if characters.ends else told


class TextSocket:
    """One connection and its utterances."""

    def __init__(self, socket: WebSocket, services: Services, *, multi: bool) -> None:
        self._socket = socket
        self._services = services
        self._multi = multi
        self._voice: str = socket.path_params["voice_id"]
        self._order: SpeechOrder
        self._principal: Principal | None = None
        self._utterances: dict[str, Utterance] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        query = self._socket.query_params
        with suppress(Unauthorized):  # the key may come in the first message
            self._principal = await self._services.authenticator.connection(
                self._socket, Scheme.XI_API_KEY | Scheme.BEARER | Scheme.QUERY
            )
        await self._socket.accept()
        try:
            patience = _patience(query.get("inactivity_timeout"))
            self._order = order(self._voice, SpeechBody(text=""), query.get("output_format", DEFAULT_FORMAT))
            await self._converse(patience)
        except TimeoutError:
            await self._close(POLICY_VIOLATION, "input_timeout", "No text came for too long.")
        except VivavoceError as error:
            await self._close(POLICY_VIOLATION, error.code, error.message)
        except WebSocketDisconnect:
            return
        else:
            await self._socket.close(NORMAL_CLOSURE)
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _converse(self, patience: float) -> None:
        protocol = StreamInput(multi=self._multi)
        while True:
            async with asyncio.timeout(patience):
                message = await self._socket.receive_text()
            for action in protocol.receive(message):
                if isinstance(action, CloseSocket):
                    await asyncio.gather(*self._tasks.values())
                    return
                await self._do(action)

    async def _do(self, action: Action) -> None:
        match action:
            case Begin():
                await self._begin(action)
            case Say(context, text):
                self._services.speech.check_text(text)
                self._utterances[context].say(text)
            case Flush(context):
                self._utterances[context].flush()
            case Finish(context):
                self._utterances.pop(context).finish()

    async def _begin(self, begin: Begin) -> None:
        if self._principal is None:
            self._principal = await self._services.authenticator.key(begin.key)
        self._principal.require("voice:synthesize")
        await self._services.concurrency.enter(self._socket.scope, self._principal.key_id)
        if len(self._utterances) >= MAX_CONTEXTS:
            raise InvalidRequest(f"More than {MAX_CONTEXTS} contexts are open.", fix="close one first")
        opened = await self._services.speech.open_voice(
            self._principal.tenant_id, self._order, speed=begin.speed or 1.0
        )
        name = begin.context if self._multi else None
        utterance = Utterance(opened.stream, opened.encoder, self._socket.send_text, name=name)
        self._utterances[begin.context] = utterance
        if (before := self._tasks.get(begin.context)) is not None:
            await before  # the same name again: the earlier utterance is told to its end first
        task = asyncio.create_task(utterance.speak(), name=f"speak {begin.context}")
        self._tasks[begin.context] = task

    async def _close(self, close_code: int, code: str, message: str) -> None:
        try:
            await self._socket.send_text(error_message(None, message, code))
            await self._socket.close(close_code, message[:100])
        except (RuntimeError, WebSocketDisconnect):
            return  # gone already


def _patience(wanted: str | None) -> float:
    """Seconds without a message before the socket is closed. Raises InvalidRequest."""
    try:
        seconds = INACTIVITY_SECONDS if wanted is None else float(wanted)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= MAX_INACTIVITY_SECONDS:
        raise InvalidRequest(
            f"inactivity_timeout is not a number of seconds up to {MAX_INACTIVITY_SECONDS:g}.",
            param="inactivity_timeout",
        )
    return seconds


async def stream_input(socket: WebSocket) -> None:
    """``/v1/text-to-speech/{voice_id}/stream-input``: one utterance."""
    await TextSocket(socket, socket.app.state.services, multi=False).run()


async def multi_stream_input(socket: WebSocket) -> None:
    """``/v1/text-to-speech/{voice_id}/multi-stream-input``: several side by side."""
    await TextSocket(socket, socket.app.state.services, multi=True).run()


routes = [
    WebSocketRoute("/v1/text-to-speech/{voice_id}/stream-input", stream_input),
    WebSocketRoute("/v1/text-to-speech/{voice_id}/multi-stream-input", multi_stream_input),
]

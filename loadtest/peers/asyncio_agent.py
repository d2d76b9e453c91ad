"""
The plain way to pace: a task and a sleep per call. What the peers' designs come down to, with nothing else.

    python -m loadtest.peers.asyncio_agent PORT

A FastAPI socket; every call has a task that sends 20 ms and sleeps until the next 20 ms on its own clock.
Incoming messages are read, parsed and decoded, and then dropped: there is no voice activity detector.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys

import numpy as np
import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from loadtest.peers.tone import block
from runtime.media.g711 import decode_mulaw, encode_mulaw

app = FastAPI()

PACKETS = [
    base64.b64encode(coded[at : at + 160]).decode()
    for coded in (encode_mulaw(np.frombuffer(block(), "<i2")),)
    for at in range(0, len(coded), 160)
]


@app.get("/")
async def ready() -> str:
    return "ready"


@app.websocket("/telephony/twilio/agent_tone")
async def call(socket: WebSocket) -> None:
    await socket.accept()
    speaking: asyncio.Task[None] | None = None
    try:
        while True:
            message = json.loads(await socket.receive_text())
            if message["event"] == "start":
                speaking = asyncio.create_task(speak(socket, message["start"]["streamSid"]))
            elif message["event"] == "media":
                decode_mulaw(base64.b64decode(message["media"]["payload"]))
            elif message["event"] == "stop":
                break
    except WebSocketDisconnect:
        pass
    finally:
        if speaking is not None:
            speaking.cancel()


async def speak(socket: WebSocket, stream_id: str) -> None:
    """Forever, 20 ms at a time."""
    sent = 0
    while True:
        payload = PACKETS[sent % len(PACKETS)]
        await socket.send_text(
            json.dumps({"event": "media", "streamSid": stream_id, "media": {"payload": payload}})
        )
        sent += 1
        await asyncio.sleep(0.02)


if __name__ == "__main__":
    uvicorn.run(
        app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", ws_per_message_deflate=False
    )

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from tests.calls.client import realtime
from tests.calls.test_bad_clients import refused
from tests.live_server import live_server


async def test_a_server_going_down_finishes_its_sentences_and_takes_no_more_calls(tmp_path: Path) -> None:
    with live_server(tmp_path) as server:
        key = server.sandbox_key()
        async with realtime(server.url, key) as talking, realtime(server.url, key) as idle:
            await talking.ask("one two three four five six seven eight nine ten")
            await talking.until("response.output_audio.delta")
            assert server._process is not None
            server._process.send_signal(signal.SIGTERM)
            await idle.ended()
            assert idle.close_code == 1012
            headers = {"authorization": f"Bearer {key}"}
            status, error = await refused(server.url, "/v1/realtime?model=x", additional_headers=headers)
            assert (status, error["code"]) == (503, "at_capacity")
            done = await talking.until("response.done")
            assert done["response"]["status"] == "completed"
            await talking.ended()
            assert talking.close_code == 1012
        async with asyncio.timeout(10.0):
            await asyncio.to_thread(server._process.wait)
        # uvicorn raises the signal again once it has shut down.
        assert server._process.returncode in (0, -signal.SIGTERM)

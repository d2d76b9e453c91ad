"""``vivavoce demo``: the main job from end to end, as a client of a server it starts."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
import wave
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.table import Table

from runtime.cli.accounts import ALL_SCOPES
from runtime.cli.caller import RATE, Answer, CallFailed, call
from runtime.cli.client import ApiError, Client
from runtime.cli.output import err, fail, report_lines
from runtime.cli.serve import load_settings

START_SECONDS = 60.0
"""How long the server may take to be ready: the workers import NumPy, SciPy and the recogniser's model."""

QUESTION = "What can you do for me today?"
SPOKEN_QUESTION = "Please tell me about the weather in the mountains."


def demo(
    clip: Annotated[Path | None, typer.Option(help="A 6-15 s recording of one person.")] = None,
    port: Annotated[int | None, typer.Option(help="TCP port of the server it starts.")] = None,
    out: Annotated[Path, typer.Option(help="Where the answers are written.")] = Path("out"),
    leave: Annotated[bool, typer.Option("--exit", help="End after the show instead of serving on.")] = False,
) -> None:
    """Start a server, clone a voice, talk to an agent that speaks in it; then keep serving."""
    if clip and not clip.is_file():
        fail(f"{clip} is not a file", fix="name a 6-15 s recording: make run CLIP=me.wav")
        raise typer.Exit(2)
    settings = load_settings(**({} if port is None else {"port": port}))
    url = f"http://{settings.host}:{settings.port}"
    out.mkdir(parents=True, exist_ok=True)
    server = _start_server(settings.port, url)
    try:
        show(Client(url), clip, out)
        if not leave:
            err.print(
                f"\n[bold]Serving on {url}[/] until Ctrl-C. Try [bold]vivavoce --help[/] in another terminal."
            )
            server.wait()
    except CallFailed as error:
        fail(str(error))
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        err.print("\nstopping: live calls may finish")
    finally:
        _stop_server(server)


def show(client: Client, clip: Path | None, out: Path) -> None:
    """The main job, against a server that is already up."""
    account = client.json("POST", "/v1/sandbox/keys", json={"label": "demo", "scopes": ALL_SCOPES})
    client = Client(client.url, account["api_key"])
    _step("1/4", "the recording")
    if clip is None:
        clip = synthesise_clip(out / "synthesised-clip.wav")
        err.print(f"  no CLIP was given, so this one is synthesised, not a person: {clip}")
    else:
        err.print(f"  {clip}")

    _step("2/4", "the gate and the clone")
    started = time.monotonic()
    with clip.open("rb") as recording:
        voice = client.enrol("Demo voice", recording, filename=clip.name)
    err.print(f"  {voice['id']} ({voice['status']})")
    voice = client.wait_for_voice(voice["id"], interval=0.1)
    enrolled = time.monotonic() - started
    if voice["status"] == "failed":
        fail(voice["failure"]["message"], fix=voice["failure"].get("fix"))
        _print_report(client, voice["id"])
        raise typer.Exit(1)
    _print_report(client, voice["id"])
    picture = out / "report.png"
    picture.write_bytes(client.request("GET", f"/v1/voice/clones/{voice['id']}/report.png").content)
    err.print(
        f"  {voice['id']} ({voice['status']}) after {enrolled:.2f} s; the report as a picture: {picture}"
    )

    _step("3/4", "an agent that speaks in it")
    agent = client.json("POST", "/v1/agents", json={"name": "Demo agent", "voice_id": voice["id"]})
    err.print(f"  {agent['agent_id']} speaks as {voice['id']}")

    _step("4/4", "a call over the Realtime WebSocket")
    asked_aloud = _speech(client, SPOKEN_QUESTION)
    opened_in, answers = asyncio.run(_converse(client, agent["agent_id"], asked_aloud))
    for number, answer in enumerate(answers, 1):
        path = out / f"answer-{number}.wav"
        _write_wav(path, bytes(answer.pcm))
        err.print(f"  [dim]written to[/] {path} ({answer.seconds:.1f} s)")
    _print_timings(enrolled, opened_in, answers)


def _print_report(client: Client, voice_id: str) -> None:
    try:
        report = client.json("GET", f"/v1/voice/clones/{voice_id}/report")
    except ApiError as error:
        if error.status != 404:  # a recording that broke before it was judged has no report
            raise
        return
    for line in report_lines(report):
        err.print(f"  {line}")


def synthesise_clip(path: Path) -> Path:
    """A reference recording made by the embedded engine itself: for trying things out, never a person."""
    from runtime.cli.reference import synthesise_reference

    samples, rate = synthesise_reference()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return path


async def _converse(client: Client, agent_id: str, spoken: bytes) -> tuple[float, list[Answer]]:
    async with call(client.url, api_key=client.api_key or "", model=agent_id) as caller:
        err.print(f"  caller (types): {QUESTION}")
        typed = await caller.ask(QUESTION)
        err.print(f"  agent: {typed.text}")
        err.print(f"  caller (speaks): {SPOKEN_QUESTION}")
        said = await caller.say(spoken)
        err.print(f"  heard as: {said.question}")
        err.print(f"  agent: {said.text}")
        return caller.opened_in, [typed, said]


def _speech(client: Client, text: str) -> bytes:
    body = {"input": text, "response_format": "pcm", "sample_rate": RATE}
    return b"".join(client.stream("/v1/audio/speech", body))


def _print_timings(enrolled: float, opened_in: float, answers: list[Answer]) -> None:
    typed, said = answers
    rows = {
        "enrolment: upload to ready": enrolled,
        "session open: dial to session.created": opened_in,
        "typed question to first audio": typed.first_audio,
        "end of spoken question to first audio": said.first_audio,
    }
    grid = Table(box=None, pad_edge=False, title="timings", title_justify="left")
    grid.add_column()
    grid.add_column(justify="right")
    for what, seconds in rows.items():
        grid.add_row(what, "-" if seconds is None else f"{seconds * 1000:.0f} ms")
    err.print()
    err.print(grid)


def _step(number: str, what: str) -> None:
    err.print(f"\n[bold cyan]{number}[/] [bold]{what}[/]")


def _start_server(port: int, url: str) -> subprocess.Popen[bytes]:
    if _is_ready(url):
        fail(f"something already serves on {url}", fix="stop it, or choose another port: VIVAVOCE_PORT=8090")
        raise typer.Exit(1)
    # The show is what is worth reading here, unless somebody asks for more.
    environment = {"VIVAVOCE_LOG_LEVEL": "warning", **os.environ, "VIVAVOCE_PORT": str(port)}
    # Its own process group: Ctrl-C reaches it through us, after the goodbye.
    server = subprocess.Popen(
        [sys.executable, "-m", "runtime", "serve"], env=environment, start_new_session=True
    )
    started = time.monotonic()
    with err.status(f"starting the server on {url}"):
        while time.monotonic() - started < START_SECONDS:
            if server.poll() is not None:
                fail(f"the server ended with status {server.returncode}", fix="run `vivavoce doctor`")
                raise typer.Exit(1)
            if _is_ready(url):
                err.print(f"[bold]server ready[/] on {url} after {time.monotonic() - started:.1f} s")
                return server
            time.sleep(0.1)
    _stop_server(server)
    fail(f"the server was not ready after {START_SECONDS:.0f} s", fix="run `vivavoce doctor`")
    raise typer.Exit(1)


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/ready", timeout=1.0).status_code == 200
    except httpx.TransportError:
        return False


def _stop_server(server: subprocess.Popen[Any]) -> None:
    if server.poll() is None:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(timeout=40)
        except subprocess.TimeoutExpired:
            server.kill()


def _write_wav(path: Path, pcm: bytes) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(pcm)

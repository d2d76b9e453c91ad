"""
``python -m loadtest``: N concurrent calls, more and more of them, until somebody hears a gap.

    python -m loadtest                                 our server, tone engine, on a core of its own
    python -m loadtest --peer pipecat_agent --python .venv-peers/bin/python      and another beside it
    python -m loadtest --transport all                          every framing in turn, at 200 calls
    python -m loadtest --address voice.example.com:80 --agent agent_… --steps 10,50     one that runs
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TypeAlias

from loadtest.crowd import TRANSPORTS, WEBRTC, Plan
from loadtest.figures import Row
from loadtest.ramp import capacity, cores, memory_per_call, ramp
from loadtest.report import HEAD, line, machine, verdict, write_chart, write_json, write_table
from loadtest.server import Server, peer, vivavoce

STEPS = "25,50,100,200,300,400,500,600,700"
EACH = "200"
"""Calls by each transport."""

DIALS = 100.0
"""Calls a second."""

SLOW_DIALS = {"realtime": 50.0, "audiosocket": 25.0, WEBRTC: 5.0}
"""The same where a call begins with more work, or where nothing may be sent ahead of its time."""

PEER_STEPS = "10,25,40,50,60,75,100,150"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the test, print the table, write JSON and chart."""
    options = _options().parse_args(arguments)
    server_core, caller_core = cores()
    print(
        f"{machine()['processor']}, {machine()['cores']} cores; server on core {server_core}, "
        f"callers on core {caller_core if options.callers == 1 else 'any'}"
    )
    print(HEAD)
    rows: list[Row] = []
    talk, rest = map(float, options.talk.split(","))
    for target, steps, transports in _targets(options, server_core):
        with target as server:
            for transport in transports:
                plan = Plan(
                    transport=transport,
                    url=_url(transport, server),
                    agent=server.agent,
                    steady=options.agent.startswith("agent_tone"),
                    calls=0,
                    dials_per_second=SLOW_DIALS.get(transport, DIALS),
                    speech_seconds=talk,
                    silence_seconds=rest,
                    measure=options.seconds,
                    key=options.key or server.key,
                    core=caller_core if options.callers == 1 else None,
                )
                mine = ramp(
                    server,
                    plan,
                    [int(n) for n in steps.split(",")],
                    crowds=options.callers,
                    on_row=lambda row: print(line(row), flush=True),
                )
                print(verdict(mine), flush=True)
                if (kilobytes := memory_per_call(mine)) is not None:
                    print(f"{kilobytes:.0f} kB of memory a call")
                rows += mine
    _compare(rows)
    write_json(options.out / "load.json", rows, command="python -m loadtest " + " ".join(sys.argv[1:]))
    write_table(options.out / "load.md", rows)
    if not options.no_chart:
        write_chart(options.out / "load.png", rows)
    made = ("load.json", "load.md", *(() if options.no_chart else ("load.png",)))
    print("written: " + ", ".join(str(options.out / name) for name in made))
    return 0


def _options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        prog="python -m loadtest", description="How many calls does a server hold without a gap?"
    )
    options.add_argument("--address", help="host:port of a server that runs; without it, ours is started")
    options.add_argument("--engine", choices=("tone", "clone"), default="tone", help="of the server started")
    options.add_argument(
        "--transport",
        choices=(*TRANSPORTS, "all"),
        default="twilio",
        help="how callers reach the server; all takes one after the other (default twilio)",
    )
    options.add_argument(
        "--agent",
        default="agent_tone",
        help="who answers; agent_tone talks without end and hears nothing, agent_tone_listening hears",
    )
    options.add_argument(
        "--key", default="", help="for a server that runs: an API key, or for carriers the telephony token"
    )
    options.add_argument(
        "--audiosocket-port", type=int, default=9092, help="of a server that runs (default 9092)"
    )
    options.add_argument(
        "--steps", help=f"numbers of calls, in order (default {STEPS}; with --transport all, {EACH})"
    )
    options.add_argument("--seconds", type=float, default=20.0, help="measured at each step (default 20)")
    options.add_argument(
        "--talk", default="2,6", help="seconds that callers speak and are quiet in turn (default 2,6)"
    )
    options.add_argument("--callers", type=int, default=1, help="processes that call (default 1)")
    options.add_argument(
        "--peer", action="append", default=[], help="a module of loadtest/peers to run beside ours"
    )
    options.add_argument("--peer-steps", default=PEER_STEPS, help=f"(default {PEER_STEPS})")
    options.add_argument("--python", default=sys.executable, help="interpreter of the peers")
    options.add_argument("--only-peers", action="store_true", help="leave ours out")
    options.add_argument("--out", type=Path, default=Path("out"), help="folder of load.json and load.png")
    options.add_argument("--no-chart", action="store_true")
    return options


Target: TypeAlias = tuple[AbstractContextManager[Server], str, Sequence[str]]
"""A server, the numbers of calls it is to take, and how it is reached."""


def _targets(options: argparse.Namespace, core: int | None) -> list[Target]:
    targets: list[Target] = []
    every = options.transport == "all"
    transports = TRANSPORTS if every else (options.transport,)
    steps = options.steps or (EACH if every else STEPS)
    if options.address:
        audiosocket = f"{options.address.partition(':')[0]}:{options.audiosocket_port}"
        running = Server(
            "remote", options.address, audiosocket=audiosocket, agent=options.agent, key=options.key
        )
        targets.append((nullcontext(running), steps, transports))
    elif not options.only_peers:
        targets.append((vivavoce(engine=options.engine, agent=options.agent, core=core), steps, transports))
    peers = (peer(name, python=options.python, core=core) for name in options.peer)
    return [*targets, *((each, options.peer_steps, ("twilio",)) for each in peers)]


def _url(transport: str, server: Server) -> str:
    if transport == "audiosocket":
        return f"audiosocket://{server.audiosocket}/"
    return f"{'http' if transport == WEBRTC else 'ws'}://{server.address}"


def _compare(rows: Sequence[Row]) -> None:
    ours = [row for row in rows if row.series == "vivavoce"]
    for name in dict.fromkeys(row.server for row in rows):
        theirs = [row for row in rows if row.server == name]
        if name == "vivavoce" or not ours or not capacity(theirs) or not capacity(ours):
            continue
        cost = [min(r.cpu_ms_per_call_second for r in part if r.held) for part in (ours, theirs)]
        print(
            f"vivavoce holds {capacity(ours) / capacity(theirs):.1f} x the calls of {name}, "
            f"at {cost[1] / cost[0]:.1f} x less CPU a call"
        )


if __name__ == "__main__":
    sys.exit(main())

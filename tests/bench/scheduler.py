"""
What pacing costs: the frame scheduler against the bare ``socket.send`` of the same bytes.

    python -m tests.bench.scheduler --calls 500 --seconds 4

Three rows: the kernel's share alone; the scheduler alone (no socket); both together through the pacer's
path. The machine's other work disturbs all three alike, so read the ratios.
"""

from __future__ import annotations

import argparse
import socket
import sys
import time
from collections.abc import Sequence

from runtime.media.frame import PTIME, EncodedFrame
from runtime.media.scheduler import FrameScheduler, FrameSink

RATE = 8_000
MESSAGE = b"\x81\x7e\x01\x18" + b"x" * 280
"""As long as a Twilio media message of 20 ms in its WebSocket frame."""


class Nowhere:
    def send_frames(self, frames: Sequence[EncodedFrame]) -> None:
        pass

    def marks_passed(self, names: Sequence[str]) -> None:
        pass


class Socket(Nowhere):
    """Writes each frame to a connected socket."""

    def __init__(self, out: socket.socket) -> None:
        self._send = out.send

    def send_frames(self, frames: Sequence[EncodedFrame]) -> None:
        for frame in frames:
            self._send(frame.payload)


class Sockets:
    """As many TCP connections on loopback as there are calls; what is sent is read away between rounds."""

    def __init__(self, count: int) -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=1024) as server:
            self.far = [socket.create_connection(server.getsockname()) for _ in range(count)]
            self.near = [server.accept()[0] for _ in range(count)]
        for near in self.near:
            near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def read_away(self) -> None:
        for far in self.far:
            far.recv(1 << 20)

    def close(self) -> None:
        for end in (*self.near, *self.far):
            end.close()


def floor(sockets: Sockets, rounds: int) -> float:
    """Seconds of CPU per bare send."""
    spent = 0.0
    for _ in range(rounds):
        began = time.process_time()
        for near in sockets.near:
            near.send(MESSAGE)
        spent += time.process_time() - began
        sockets.read_away()
    return spent / (rounds * len(sockets.near))


def paced(sinks: Sequence[FrameSink], rounds: int, sockets: Sockets | None = None) -> float:
    """Seconds of CPU per frame, with the clock moved from deadline to deadline."""
    scheduler = FrameScheduler()
    playouts = [scheduler.open(sink, rate=RATE, lead=0.160) for sink in sinks]
    now = 1_000.0
    frames = [EncodedFrame(MESSAGE, 160 * k, 160) for k in range(rounds + 20)]
    for playout in playouts:
        playout.push(frames, now)
    _serve(scheduler, now)  # the first burst, up to the lead, is not the steady state
    if sockets is not None:
        sockets.read_away()
    sent, spent, last_read = scheduler.tally.frames, 0.0, now
    end = now + rounds * PTIME
    while (deadline := scheduler.deadline()) is not None and deadline < end:
        now = deadline
        began = time.process_time()
        _serve(scheduler, now)
        spent += time.process_time() - began
        if sockets is not None and now - last_read > 0.2:
            sockets.read_away()
            last_read = now
    return spent / (scheduler.tally.frames - sent)


def _serve(scheduler: FrameScheduler, now: float) -> None:
    for playout, frames, marks in scheduler.poll(now):
        if (sink := playout.sink) is not None:
            if frames:
                sink.send_frames(frames)
            if marks:
                sink.marks_passed(marks)


def main(arguments: Sequence[str] = ()) -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[1] if __doc__ else None)
    options.add_argument("--calls", type=int, default=500)
    options.add_argument("--seconds", type=float, default=4.0)
    chosen = options.parse_args(arguments)
    rounds = round(chosen.seconds / PTIME)
    sockets = Sockets(chosen.calls)
    bare = floor(sockets, rounds)
    alone = paced([Nowhere()] * chosen.calls, rounds)
    both = paced([Socket(near) for near in sockets.near], rounds, sockets)
    sockets.close()
    print(f"{chosen.calls} calls, {rounds} frames each, {len(MESSAGE)} bytes a frame")
    print(f"{'bare socket.send':<28}{bare * 1e6:8.2f} us a frame")
    print(f"{'scheduler alone':<28}{alone * 1e6:8.2f} us a frame")
    print(f"{'scheduler and socket.send':<28}{both * 1e6:8.2f} us a frame   {both / bare:.2f} x the floor")


if __name__ == "__main__":
    main(sys.argv[1:])

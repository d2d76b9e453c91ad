"""What runs in the child: make the service, then serve calls until the parent is gone."""

from __future__ import annotations

import ctypes
import gc
import os
import pickle
import signal
import socket
import sys
from contextlib import suppress

from runtime.workers.messages import LENGTH, Boot, Failure, Success, pack

PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15


def main(fd: int) -> None:
    """Entry point of the child. ``fd`` is its end of the socket pair."""
    # Signals meant for the server reach its whole process group; the server drains its calls then,
    # and needs its workers to the end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    parent_gone = suppress(BrokenPipeError, ConnectionResetError)
    with socket.socket(fileno=fd) as link, parent_gone:
        _serve(link)


def _serve(link: socket.socket) -> None:
    message = _receive(link)
    if message is None:
        return
    boot = pickle.loads(message)
    assert isinstance(boot, Boot)
    _attach_to_parent(boot.name)
    if boot.niceness:
        os.nice(boot.niceness)
    try:
        service = boot.service()
    except Exception as error:
        link.sendall(pack(Failure.of(error)))
        return
    # What was imported lives for ever: keep the collector from walking it between two blocks of audio.
    gc.collect()
    gc.freeze()
    link.sendall(pack(Success(None)))
    while (message := _receive(link)) is not None:
        link.sendall(_answer(service, message))


def _answer(service: object, message: bytearray) -> bytes:
    try:
        method, args = pickle.loads(message)
        return pack(Success(getattr(service, method)(*args)))
    except Exception as error:
        return pack(Failure.of(error))


def _receive(link: socket.socket) -> bytearray | None:
    header = _exactly(link, LENGTH.size)
    return None if header is None else _exactly(link, LENGTH.unpack(header)[0])


def _exactly(link: socket.socket, size: int) -> bytearray | None:
    """``size`` bytes, or None where the stream ends."""
    data = bytearray(size)
    view = memoryview(data)
    while view:
        count = link.recv_into(view)
        if count == 0:
            return None
        view = view[count:]
    return data


def _attach_to_parent(name: str) -> None:
    """
    Die with the parent even in the middle of a call, and carry a name in process lists. Linux only.

    Elsewhere the end of the socket ends the child, after the call it is serving.
    """
    if sys.platform != "linux":
        return
    parent = os.getppid()
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(PR_SET_NAME, name.encode()[:15], 0, 0, 0)
    if os.getppid() != parent:  # it ended just before the signal was asked for
        os._exit(0)

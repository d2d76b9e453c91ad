"""Work that would make the event loop late, done in supervised child processes."""

from runtime.workers.group import WorkerGroup
from runtime.workers.process import WorkerProcess

__all__ = ["WorkerGroup", "WorkerProcess"]

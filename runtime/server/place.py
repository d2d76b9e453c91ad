"""Which process of a fleet this is, and where the others are met."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Place:
    """One process's place in the fleet."""

    number: int
    """From 0."""
    size: int
    """How many processes there are."""
    folder: Path
    """Shared by all of them, on this machine."""

    @property
    def leader_lock(self) -> Path:
        return self.folder / "leader.lock"

    @property
    def sockets(self) -> Mapping[int, Path]:
        """Where each process answers the others."""
        return {number: self.folder / f"process-{number}.sock" for number in range(self.size)}

    @property
    def doors(self) -> Mapping[int, Path]:
        """Where each process takes requests that another one has passed on."""
        return {number: self.folder / f"door-{number}.sock" for number in range(self.size)}

    @property
    def limits(self) -> Path:
        """What all processes count together."""
        return self.folder / "limits"

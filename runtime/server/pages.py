"""The console: static pages, served as they lie in ``console/``. No build step."""

from __future__ import annotations

from pathlib import Path

from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

routes = [Mount("/", StaticFiles(directory=Path(__file__).with_name("console"), html=True), name="console")]
"""Matches every path: goes last."""

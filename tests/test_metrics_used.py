"""Every metric that is told of is measured somewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.metrics import MetricWrapperBase

from runtime import metrics

ROOT = Path(__file__).parents[1]
NAMES = [
    name for name, value in vars(metrics).items() if isinstance(value, MetricWrapperBase | metrics.Latest)
]


@pytest.mark.parametrize("name", NAMES)
def test_the_metric_is_measured(name: str) -> None:
    files = (path for part in ("runtime", "sessions", "tts") for path in (ROOT / part).rglob("*.py"))
    assert any(f"metrics.{name}" in path.read_text() for path in files)

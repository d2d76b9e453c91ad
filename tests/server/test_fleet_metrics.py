"""The figures of several processes are one page that Prometheus can read."""

from __future__ import annotations

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from runtime.server.fleet_metrics import QUESTION, fleet_page, merge
from runtime.server.neighbours import Neighbours

PAGE = """\
# HELP calls Calls in progress.
# TYPE calls gauge
calls{transport="websocket"} %d.0
# HELP cpu_seconds_total CPU.
# TYPE cpu_seconds_total counter
cpu_seconds_total %d.5
"""


def test_every_sample_names_its_process() -> None:
    families = {
        family.name: family
        for family in text_string_to_metric_families(merge({"0": PAGE % (1, 2), "1": PAGE % (3, 4)}))
    }
    calls = {sample.labels["worker"]: sample.value for sample in families["calls"].samples}
    assert calls == {"0": 1.0, "1": 3.0}
    assert families["calls"].samples[0].labels["transport"] == "websocket"
    assert sum(sample.value for sample in families["cpu_seconds"].samples) == 7.0


def test_a_family_is_told_of_once() -> None:
    assert merge({"0": PAGE % (1, 2), "1": PAGE % (3, 4)}).count("# TYPE calls gauge") == 1


async def test_processes_ask_each_other(tmp_path: Path) -> None:
    sockets = {number: tmp_path / f"{number}.sock" for number in range(3)}
    first, second = Neighbours(sockets, number=0), Neighbours(sockets, number=1)
    second.answer(QUESTION, lambda _about: PAGE % (3, 4))
    await second.start()
    try:
        page = await fleet_page(PAGE % (1, 2), first)  # the third has not started: the page does without
    finally:
        await second.close()
    assert 'calls{transport="websocket",worker="0"} 1.0' in page
    assert 'calls{transport="websocket",worker="1"} 3.0' in page
    assert 'worker="2"' not in page

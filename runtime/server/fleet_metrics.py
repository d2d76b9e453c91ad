"""One page of figures for all processes of a fleet: whichever is scraped asks the others."""

from __future__ import annotations

import re
from collections.abc import Mapping

from runtime.server.neighbours import Neighbours

QUESTION = "figures"

_SAMPLE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (.+)$")


async def fleet_page(own: str, neighbours: Neighbours) -> str:
    """
    The figures of every process that answers, each sample labelled with its process.

    Args:
        own: This process's page, in Prometheus' text format.
    """
    told = {str(number): page for number, page in (await neighbours.ask(QUESTION)).items() if page}
    told[str(neighbours.number)] = own
    return merge(dict(sorted(told.items())))


def merge(pages: Mapping[str, str]) -> str:
    """
    Join pages; each sample gets the label ``worker``.

    Samples of a family stay together under one HELP and TYPE, as the text format asks.
    """
    heads: dict[str, list[str]] = {}
    samples: dict[str, list[str]] = {}
    for worker, page in pages.items():
        family = ""
        for line in page.splitlines():
            if line.startswith("# "):
                _, kind, family, *_ = line.split(" ", 3)
                head = heads.setdefault(family, [])
                if not any(known.startswith(f"# {kind} ") for known in head):
                    head.append(line)
            elif found := _SAMPLE.match(line):
                name, labels, value = found.groups()
                labelled = f'{labels},worker="{worker}"' if labels else f'worker="{worker}"'
                samples.setdefault(family, []).append(f"{name}{{{labelled}}} {value}")
    lines = [line for family in heads for line in (*heads[family], *samples.get(family, ()))]
    return "\n".join(lines) + "\n"

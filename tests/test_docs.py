"""What the documents say is so."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from runtime.server.carriers import CARRIERS
from runtime.settings import Settings

ROOT = Path(__file__).parents[1]
OPERATING = ROOT / "docs" / "operating.md"


def settings_table() -> str:
    """The table of docs/operating.md, written from the settings' own docstrings."""
    source = inspect.getsource(Settings)
    told = dict(re.findall(r'^    (\w+): [^\n]+(?:\n        [^\n]+)*?\n    """(.*?)"""', source, re.M | re.S))
    rows = ["| variable | default | what it is |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = field.default if field.default_factory is None else "by the machine"
        shown = "none" if default is None else f"`{default}`"
        text = " ".join(told.get(name, "").split()).replace("``", "`")
        rows.append(f"| `VIVAVOCE_{name.upper()}` | {shown} | {text} |")
    return "\n".join(rows)


def test_every_setting_is_documented_as_it_is() -> None:
    """To mend a failure: ``python -m tests.test_docs``."""
    written = OPERATING.read_text().split("<!-- settings -->\n")[1].split("\n<!-- /settings -->")[0]
    assert written == settings_table()


@pytest.mark.parametrize(
    "page", ["README.md", "docs/architecture.md", "docs/turn.md", "docs/operating.md", "docs/telephony.md"]
)
def test_links_and_paths_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text()
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert (ROOT / page).parent.joinpath(target).exists(), f"{page} links to {target}"
    for path in re.findall(r"`((?:runtime|tts|sessions|tests|loadtest|docs)/[\w/]+\.(?:py|md))`", text):
        assert (ROOT / path).exists(), f"{page} names {path}"


def test_every_carrier_is_documented_with_what_lets_it_in() -> None:
    rows = [
        line for line in (ROOT / "docs" / "telephony.md").read_text().splitlines() if "/telephony/" in line
    ]
    for name, carrier in CARRIERS.items():
        assert any(row.startswith(f"| `{name}` |") and carrier.setting in row for row in rows), name


if __name__ == "__main__":
    before, rest = OPERATING.read_text().split("<!-- settings -->\n")
    after = rest.split("<!-- /settings -->")[1]
    OPERATING.write_text(f"{before}<!-- settings -->\n{settings_table()}\n<!-- /settings -->{after}")

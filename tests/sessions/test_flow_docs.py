"""The flow that the documentation shows is a flow."""

from __future__ import annotations

import re
from pathlib import Path

from sessions.brains.flow import read_flow

PAGE = Path(__file__).parents[2] / "docs" / "flows.md"


def test_the_flows_in_the_documentation_are_sound() -> None:
    clinic, menu = map(read_flow, re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL))
    assert clinic.given == ("customer",)
    assert clinic.steps["agree"].next == "booked"
    assert (menu.silence, menu.steps["menu"].tries) == (6, 3)


def test_every_field_of_a_step_is_in_the_documentation() -> None:
    table = PAGE.read_text().partition("| field of a step |")[2]
    fields = "say ask slot type length choices branch retry tries otherwise set next transfer end"
    assert [field for field in fields.split() if f"`{field}`" not in table] == []

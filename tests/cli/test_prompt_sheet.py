from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.cli.prompt_sheet import SheetError, SheetPrompt, read_sheet


def test_a_sheet_is_names_and_texts() -> None:
    sheet = read_sheet(
        "voice: clara\nformat: alaw8k\nspeed: 0.9\nlevel_dbov: -23\nprompts:\n"
        "  welcome: Thank you for\n    calling.\n"
        "  menu/main:\n    text: Press one.\n    voice: adam\n    speed: 1.1\n"
    )
    assert (sheet.voice, sheet.format, sheet.speed, sheet.level_dbov) == ("clara", "alaw8k", 0.9, -23.0)
    assert sheet.prompts == (
        SheetPrompt(name="welcome", text="Thank you for calling.", line=6),
        SheetPrompt(name="menu/main", text="Press one.", voice="adam", speed=1.1, line=8),
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "line 1: this should be a mapping"),
        ("voice: clara\n", "line 1: there are no prompts"),
        ("prompts: [a, b]\n", "line 1: prompts should be names with texts"),
        ("prompts:\n  a: Hello.\nvoise: x\n", "line 3: unknown field 'voise'; did you mean 'voice'?"),
        ("prompts:\n  a: Hello.\n  a: Again.\n", "line 3: 'a' is there already, at line 2"),
        ("prompts:\n  a:\n", "line 2: 'a' has no text"),
        ("prompts:\n  ../a: Hello.\n", "line 2: '../a' cannot be a file's name"),
        ("prompts:\n  /etc/x: Hello.\n", "line 2: '/etc/x' cannot be a file's name"),
        ("prompts:\n  a: {text: Hello., speed: fast}\n", "line 2: speed should be a number, not 'fast'"),
        ("prompts:\n  a: {text: [Hello]}\n", "line 2: text should be one value"),
        ("prompts:\n\ta: Hello.\n", "line 2: this is not YAML"),
        ("prompts: {a: Hello\n", "this is not YAML"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, told: str) -> None:
    with pytest.raises(SheetError) as error:
        read_sheet(text)
    assert told in str(error.value)


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(SheetError) as error:
        read_sheet("speed: slow\nprompts:\n  a b: Hello.\n  c: ''\n")
    assert [line for line, _ in sorted(error.value.problems)] == [1, 3, 4]


@given(st.text(max_size=200))
def test_any_text_is_a_sheet_or_told_why_not(text: str) -> None:
    with contextlib.suppress(SheetError):
        read_sheet(text)

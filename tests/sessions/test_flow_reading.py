from __future__ import annotations

import contextlib
import re
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import InvalidRequest
from sessions.brains.flow import document, read_flow

CLINIC = textwrap.dedent(re.search(r"whole::\n\n(.*?)\nA step", document.__doc__ or "", re.DOTALL)[1])  # type: ignore[index]


def problems(text: str) -> str:
    with pytest.raises(InvalidRequest) as caught:
        read_flow(text)
    assert caught.value.code == "invalid_flow"
    return caught.value.message


def test_the_documented_example_is_sound() -> None:
    flow = read_flow(CLINIC)
    assert flow.start == "hello"
    assert flow.steps["hello"].next == "purpose"
    assert flow.steps["birthday"].length == 4
    assert flow.steps["agree"].branch[0].values == {"right": "no"}


def test_json_and_an_object_read_as_yaml_does() -> None:
    as_object = {"steps": {"a": {"ask": "Hello?", "next": "b"}, "b": {"say": "Bye.", "end": "done"}}}
    as_json = '{"steps": {\n\t"a": {"ask": "Hello?", "next": "b"},\n\t"b": {"say": "Bye.", "end": "done"}}}'
    assert read_flow(as_object) == read_flow(as_json)


def test_every_problem_is_told_with_its_line() -> None:
    message = problems(
        """\
steps:
  hello:
    says: Hello.
    next: goodby
  goodbye:
    say: Goodbye {nmae}.
    tries: 2
    end: done
"""
    )
    assert "line 3, step 'hello': unknown field 'says'; did you mean 'say'?" in message
    assert "line 4, step 'hello'.next: there is no step 'goodby'; did you mean 'goodbye'?" in message
    assert "line 7, step 'goodbye': 'tries' belongs to a question" in message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "line 1: the flow is empty"),
        ("steps: [", "line 1: this is not YAML"),
        ("just words", "line 1: this should be a mapping"),
        ("start: a", "there are no steps"),
        ("steps: {}", "at least one"),
        ("steps:\n  a: {}", "line 2, step 'a': the step does nothing"),
        ("steps:\n  a: {say: hi}", "line 2, step 'a': nothing follows the last step"),
        ("steps:\n  a: {ask: hi, end: now}", "cannot also end"),
        ("steps:\n  a: {say: hi, end: now, next: a}", "cannot both follow"),
        ("steps:\n  a: {say: 'hi {who}', end: now}", "no step fills the slot 'who'"),
        ("steps:\n  a: {say: hi, next: a}", "a → a never waits for the caller"),
        ("steps:\n  a: {say: hi, end: x}\n  b: {say: ho, end: x}", "line 3, step 'b': no step leads here"),
        ("steps:\n  a: {ask: hi, tries: 0, next: a}", "whole number from 1 to 20"),
        ("steps:\n  a: {ask: hi, tries: ٣, next: a}", "whole number from 1 to 20"),
        ("steps:\n  a: {ask: hi, slot: x, type: colour, next: a}", "types are text"),
        ("steps:\n  a: {ask: hi, slot: x, type: choice, next: a}", "needs `choices`"),
        ("steps:\n  a: {ask: hi, length: 4, next: a}", "`length` is for slots of type digits"),
        ("steps:\n  a: {ask: hi, branch: [{words: yes}], next: a}", "where does this lead?"),
        ("steps:\n  a: {ask: hi, branch: [{next: a}]}", "when is this taken?"),
        ("steps:\n  a: {ask: hi, branch: [{keys: 1x, next: a}]}", "cannot be typed"),
        ("steps:\n  a: {ask: hi, branch: yes, next: a}", "this should be a list"),
        ("steps:\n  a: {say: [hi], end: now}", "this should be text"),
        ("steps:\n  a b: {say: hi, end: now}", "should be a name"),
        ("steps:\n  a: {say: hi, end: now}\n  a: {say: ho, end: now}", "two steps called 'a'"),
        ("steps: &x\n  a: *x", "aliases"),
        ("steps: !!python/object:os.system {a: b}", "tags"),
        ("steps:\n  a: {ask: hi, slot: x, next: a}\nstart: b", "there is no step 'b'"),
        ("x" * 300_000, "longer than"),
        ("[" * 5000, "not YAML"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(text: str, expected: str) -> None:
    assert expected in problems(text)


def test_a_wide_flow_is_checked_quickly() -> None:
    steps = {
        f"s{n}": {"say": "x", "branch": [{"if": {"a": "1"}, "next": f"s{n + 2}"}], "next": f"s{n + 1}"}
        for n in range(498)
    }
    end = {"say": "x", "end": "done"}
    flow = read_flow({"given": ["a"], "steps": steps | {"s498": {"say": "x", "next": "s499"}, "s499": end}})
    assert len(flow.steps) == 500


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidRequest):
        read_flow(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["say", "ask", "next", "branch", "words", "a", "end", "if"]), inner)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["steps", "start", "always", "given"]), json_values))
def test_any_object_is_read_or_refused(value: dict[str, object]) -> None:
    with contextlib.suppress(InvalidRequest):
        read_flow(value)

"""Read a flow document and say, with line numbers, everything that is wrong with it."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, TypeVar

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from runtime.errors import InvalidRequest
from sessions.brains.flow.document import DEFAULT_RETRY, DEFAULT_SILENCE, Branch, Choice, Flow, Step

MAX_CHARACTERS: Final = 256 * 1024
"""Of a flow's text."""
MAX_STEPS: Final = 1000
MAX_PROBLEMS: Final = 20

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_SLOT: Final = re.compile(r"\{([^{}]*)\}")
_KEYS: Final = re.compile(r"[0-9*#A-D]+")
_SLOT_TYPES: Final = ("text", "number", "digits", "yes_no", "choice")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to change."""

    line: int
    """From 1; of the document, or of its JSON with two spaces of indent where it came as an object."""
    place: str
    message: str

    def __str__(self) -> str:
        return (
            f"line {self.line}, {self.place}: {self.message}"
            if self.place
            else f"line {self.line}: {self.message}"
        )


def read_flow(document: object) -> Flow:
    """
    Read and check a flow; see :mod:`sessions.brains.flow.document` for the language.

    Args:
        document: YAML or JSON text, or the object it stands for (anything ``json.dumps`` takes).

    Raises:
        InvalidRequest: Code ``invalid_flow``; the message lists every problem with its line.
    """
    if isinstance(document, str):
        return _read_text(document)
    try:
        return _read_text(json.dumps(document, indent=2))
    except (TypeError, ValueError) as error:
        raise InvalidRequest(f"the flow is not JSON: {error}", code="invalid_flow", param="flow") from error


# Every call of an agent reads its flow; parsing YAML takes milliseconds, and flows are frozen.
@lru_cache(maxsize=64)
def _read_text(text: str) -> Flow:
    reader = _Reader()
    flow = reader.read(text)
    if flow is None or reader.problems:
        listed = sorted(reader.problems, key=lambda problem: problem.line)[:MAX_PROBLEMS]
        raise InvalidRequest(
            "the flow cannot be followed: " + "; ".join(map(str, listed)), code="invalid_flow", param="flow"
        )
    return flow


class _Reader:
    """Turns YAML's nodes, which know their lines, into a flow, and collects problems on the way."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._targets: list[tuple[Node, str, str]] = []
        self._lines: dict[str, int] = {}

    def read(self, text: str) -> Flow | None:
        root = self._parse(text)
        if root is None:
            return None
        fields = self._fields(root, "", ("start", "steps", "always", "given", "silence"))
        if "steps" not in fields:
            self._problem(root, "", "there are no steps: add `steps:` with at least one")
            return None
        steps = self._steps(fields["steps"])
        always = tuple(self._list(fields.get("always"), "always", self._branch))
        given = tuple(self._list(fields.get("given"), "given", self._name))
        start = next(iter(steps), "")
        if "start" in fields:
            start = self._text(fields["start"], "start")
            self._targets.append((fields["start"], "start", start))
        silence = (
            self._count(fields["silence"], "silence", 2, 120) if "silence" in fields else DEFAULT_SILENCE
        )
        flow = Flow(steps, start, always, given, silence)
        for node, place, target in self._targets:
            if target not in steps:
                self._problem(node, place, f"there is no step {target!r}{_did_you_mean(target, steps)}")
        if steps and not self.problems:
            self._check_ways(flow)
            self._check_slots(flow)
        return flow

    # Values, each with its place in words.

    def _parse(self, text: str) -> Node | None:
        if len(text) > MAX_CHARACTERS:
            self.problems.append(Problem(1, "", f"the flow is longer than {MAX_CHARACTERS} characters"))
            return None
        if text.lstrip()[:1] in "{[":
            text = text.expandtabs()  # JSON may be indented by tabs, YAML may not
        try:
            for token in yaml.scan(text, yaml.SafeLoader):
                if isinstance(token, yaml.AliasToken | yaml.TagToken):
                    line = token.start_mark.line + 1
                    self.problems.append(
                        Problem(line, "", "aliases (*name) and tags (!name) are not for flows")
                    )
                    return None
            root = yaml.compose(text, yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark else 1
            self.problems.append(Problem(line, "", f"this is not YAML: {error.problem or error.context}"))
            return None
        except (yaml.YAMLError, RecursionError) as error:
            self.problems.append(Problem(1, "", f"this is not YAML: {str(error).splitlines()[0]}"))
            return None
        if root is None:
            self.problems.append(Problem(1, "", "the flow is empty"))
        return root

    def _fields(self, node: Node, place: str, known: Iterable[str]) -> dict[str, Node]:
        if not isinstance(node, MappingNode):
            self._problem(node, place, "this should be a mapping of names to values")
            return {}
        fields: dict[str, Node] = {}
        for key, value in node.value:
            name = key.value if isinstance(key, ScalarNode) else ""
            if name not in known:
                self._problem(key, place, f"unknown field {name!r}{_did_you_mean(name, known)}")
            elif name in fields:
                self._problem(key, place, f"{name!r} is given twice")
            elif not _is_null(value):
                fields[name] = value
        return fields

    def _text(self, node: Node, place: str) -> str:
        if isinstance(node, ScalarNode) and not _is_null(node) and node.value.strip():
            return str(node.value).strip()
        self._problem(node, place, "this should be text")
        return ""

    def _name(self, node: Node, place: str) -> str:
        text = self._text(node, place)
        if text and not _NAME.fullmatch(text):
            self._problem(node, place, f"{text!r} should be a name: letters, digits, _ and -, no digit first")
        return text

    def _count(self, node: Node, place: str, least: int, most: int) -> int:
        text = node.value if isinstance(node, ScalarNode) else ""
        if text.isascii() and text.isdecimal() and least <= int(text) <= most:
            return int(text)
        self._problem(node, place, f"this should be a whole number from {least} to {most}")
        return least

    def _list(self, node: Node | None, place: str, read: Callable[[Node, str], T]) -> list[T]:
        if node is None:
            return []
        if not isinstance(node, SequenceNode):
            self._problem(node, place, "this should be a list")
            return []
        return [read(item, f"{place}[{number}]") for number, item in enumerate(node.value)]

    def _phrases(self, node: Node, place: str) -> tuple[str, ...]:
        if isinstance(node, ScalarNode):
            return (self._text(node, place).lower(),)
        return tuple(text.lower() for text in self._list(node, place, self._text))

    def _pressed(self, node: Node, place: str) -> str:
        text = self._text(node, place).upper()
        if text and not _KEYS.fullmatch(text):
            self._problem(node, place, f"{text!r} cannot be typed: keys are 0 to 9, *, # and A to D")
        return text

    def _values(self, node: Node, place: str) -> dict[str, str]:
        if not isinstance(node, MappingNode):
            self._problem(node, place, "this should be a mapping of slots to values")
            return {}
        return {
            self._name(key, place): self._text(value, f"{place}.{key.value}") for key, value in node.value
        }

    def _target(self, node: Node, place: str) -> str:
        name = self._text(node, place)
        if name:
            self._targets.append((node, place, name))
        return name

    # Steps and what they are made of.

    def _steps(self, node: Node) -> dict[str, Step]:
        if not isinstance(node, MappingNode) or not node.value:
            self._problem(node, "steps", "this should be a mapping of step names to steps, with at least one")
            return {}
        if len(node.value) > MAX_STEPS:
            self._problem(node, "steps", f"there are more than {MAX_STEPS} steps")
            return {}
        names = [key.value if isinstance(key, ScalarNode) else "" for key, _ in node.value]
        steps: dict[str, Step] = {}
        for number, (key, value) in enumerate(node.value):
            name = self._name(key, "steps")
            if name in steps:
                self._problem(key, "steps", f"there are two steps called {name!r}")
            below = names[number + 1] if number + 1 < len(names) else None
            self._lines[name] = key.start_mark.line + 1
            steps[name] = self._step(value, name, below)
        return steps

    def _step(self, node: Node, name: str, below: str | None) -> Step:
        place = f"step {name!r}"
        known = (
            "say", "ask", "slot", "type", "length", "choices", "branch", "retry", "tries", "otherwise", "set",
            "next", "transfer", "end",
        )  # fmt: skip
        fields = self._fields(node, place, known)
        text = {key: self._text(fields[key], f"{place}.{key}") for key in ("say", "ask") if key in fields}
        slot_type = self._text(fields["type"], place + ".type") if "type" in fields else "text"
        if slot_type not in _SLOT_TYPES:
            self._problem(fields["type"], place + ".type", f"types are {', '.join(_SLOT_TYPES)}")
            slot_type = "text"
        choices = tuple(self._list(fields.get("choices"), place + ".choices", self._choice))
        step = Step(
            name=name,
            say=text.get("say", ""),
            ask=text.get("ask", ""),
            slot=self._name(fields["slot"], place + ".slot") if "slot" in fields else None,
            type="choice" if choices else slot_type,  # type: ignore[arg-type]
            length=self._count(fields["length"], place + ".length", 1, 64) if "length" in fields else None,
            choices=choices,
            branch=tuple(self._list(fields.get("branch"), place + ".branch", self._branch)),
            retry=self._text(fields["retry"], place + ".retry") if "retry" in fields else DEFAULT_RETRY,
            tries=self._count(fields["tries"], place + ".tries", 1, 20) if "tries" in fields else 3,
            otherwise=self._target(fields["otherwise"], place + ".otherwise")
            if "otherwise" in fields
            else None,
            set=self._values(fields["set"], place + ".set") if "set" in fields else None,
            next=self._target(fields["next"], place + ".next") if "next" in fields else None,
            transfer=self._text(fields["transfer"], place + ".transfer") if "transfer" in fields else None,
            end=self._text(fields["end"], place + ".end") if "end" in fields else None,
        )
        return self._check_step(node, step, fields, below)

    def _check_step(self, node: Node, step: Step, fields: Mapping[str, Node], below: str | None) -> Step:
        place = f"step {step.name!r}"
        if not fields:
            self._problem(node, place, "the step does nothing: say, ask, set, transfer or end")
        for key in ("slot", "type", "length", "choices", "retry", "tries", "otherwise"):
            if key in fields and not step.ask:
                self._problem(fields[key], place, f"{key!r} belongs to a question: add `ask`")
        if step.type == "choice" and not step.choices:
            self._problem(node, place, "a slot of type choice needs `choices`")
        if step.length is not None and step.type != "digits":
            self._problem(fields["length"], place, "`length` is for slots of type digits")
        leaves = [key for key in ("next", "transfer", "end") if key in fields]
        if len(leaves) > 1:
            self._problem(fields[leaves[1]], place, f"{leaves[0]!r} and {leaves[1]!r} cannot both follow")
        if step.ask and (step.transfer or step.end):
            self._problem(fields[leaves[0]], place, "a question cannot also end or hand on the call")
        if not step.ask:
            for branch in step.branch:
                if branch.words or branch.keys:
                    self._problem(fields["branch"], place, "words and keys belong to a question: add `ask`")
                    break
        if leaves:
            return step
        if below is not None:
            return replace(step, next=below)
        decided = step.ask and step.branch and not step.slot
        if not decided:
            self._problem(node, place, "nothing follows the last step: add `next`, `transfer` or `end`")
        return step

    def _branch(self, node: Node, place: str) -> Branch:
        fields = self._fields(node, place, ("words", "keys", "if", "next"))
        if "next" not in fields:
            self._problem(node, place, "where does this lead? add `next`")
        if not fields.keys() & {"words", "keys", "if"}:
            self._problem(node, place, "when is this taken? add `words`, `keys` or `if`")
        return Branch(
            words=self._phrases(fields["words"], place + ".words") if "words" in fields else (),
            keys=self._pressed(fields["keys"], place + ".keys") if "keys" in fields else "",
            values=self._values(fields["if"], place + ".if") if "if" in fields else None,
            next=self._target(fields["next"], place + ".next") if "next" in fields else "",
        )

    def _choice(self, node: Node, place: str) -> Choice:
        if isinstance(node, ScalarNode):
            value = self._text(node, place)
            return Choice(value=value, words=(value.lower(),))
        fields = self._fields(node, place, ("value", "words", "keys"))
        if "value" not in fields:
            self._problem(node, place, "a choice needs a `value`")
            return Choice(value="", words=())
        value = self._text(fields["value"], place + ".value")
        return Choice(
            value=value,
            words=self._phrases(fields["words"], place + ".words") if "words" in fields else (value.lower(),),
            keys=self._pressed(fields["keys"], place + ".keys") if "keys" in fields else "",
        )

    # What only the whole flow can show.

    def _check_ways(self, flow: Flow) -> None:
        reached = _reachable(flow)
        for name in flow.steps:
            if name not in reached:
                self._at_step(name, "no step leads here")
        for cycle in _cycles_without_question(flow):
            self._at_step(
                cycle[0], f"{' → '.join([*cycle, cycle[0]])} never waits for the caller: add an `ask`"
            )

    def _check_slots(self, flow: Flow) -> None:
        known = set(flow.given)
        for step in flow.steps.values():
            known.update(filter(None, [step.slot]), step.set or ())
        for step in flow.steps.values():
            texts = (step.say, step.ask, step.retry, step.transfer or "", *(step.set or {}).values())
            used = {slot for text in texts for slot in _SLOT.findall(text)}
            used.update(slot for branch in step.branch for slot in branch.values or ())
            for slot in sorted(used - known):
                self._at_step(step.name, f"no step fills the slot {slot!r}{_did_you_mean(slot, known)}")

    def _at_step(self, name: str, message: str) -> None:
        self.problems.append(Problem(self._lines[name], f"step {name!r}", message))

    def _problem(self, node: Node, place: str, message: str) -> None:
        self.problems.append(Problem(node.start_mark.line + 1, place, message))


def _reachable(flow: Flow) -> set[str]:
    reached: set[str] = set()
    ahead = [flow.start, *(branch.next for branch in flow.always)]
    while ahead:
        name = ahead.pop()
        if name not in reached:
            reached.add(name)
            ahead.extend(_ways(flow.steps[name]))
    return reached


def _ways(step: Step) -> list[str]:
    return [*(branch.next for branch in step.branch), *filter(None, (step.next, step.otherwise))]


def _cycles_without_question(flow: Flow) -> list[list[str]]:
    """Cycles of steps that follow each other without waiting: a depth-first search, each step once."""
    cycles: list[list[str]] = []
    finished: set[str] = set()
    for start in flow.steps:
        path: list[str] = []
        ahead = [iter([start])]
        while ahead:
            name = next(ahead[-1], None)
            if name is None:
                ahead.pop()
                if path:
                    finished.add(path.pop())
            elif name in path:
                cycles.append(path[path.index(name) :])
            elif name not in finished and not flow.steps[name].ask:
                path.append(name)
                ahead.append(iter(_ways(flow.steps[name])))
    return cycles


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""

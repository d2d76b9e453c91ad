"""
A sheet of prompts, as people write it: names and texts in YAML, checked by line.

::

    voice: voice_…            # of all; --voice goes before it
    format: ulaw8k
    prompts:
      welcome: Thank you for calling the clinic.
      menu/main:
        text: Press one for an appointment.
        speed: 0.95
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode

MAX_CHARACTERS: Final = 2 * 2**20

NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")


class SheetError(Exception):
    """What is wrong with a sheet, each with its line."""

    def __init__(self, problems: list[tuple[int, str]]) -> None:
        super().__init__("\n".join(f"line {line}: {message}" for line, message in sorted(problems)))
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetPrompt:
    name: str
    text: str
    voice: str | None = None
    speed: float | None = None
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptSheet:
    prompts: tuple[SheetPrompt, ...]
    voice: str | None = None
    format: str | None = None
    speed: float | None = None
    level_dbov: float | None = None


def read_sheet(text: str) -> PromptSheet:
    """
    Raises:
        SheetError: It is not YAML, or something in it is not as it should be; all problems at once.
    """
    if len(text) > MAX_CHARACTERS:
        raise SheetError([(1, f"the sheet is longer than {MAX_CHARACTERS} characters")])
    try:
        root = yaml.compose(text, yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise SheetError([(mark.line + 1 if mark else 1, f"this is not YAML: {error.problem}")]) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise SheetError([(1, f"this is not YAML: {str(error).splitlines()[0]}")]) from error
    reader = _Reader()
    sheet = reader.read(root)
    if reader.problems:
        raise SheetError(reader.problems)
    return sheet


class _Reader:
    def __init__(self) -> None:
        self.problems: list[tuple[int, str]] = []

    def read(self, root: Node | None) -> PromptSheet:
        fields = self._fields(root, ("voice", "format", "speed", "level_dbov", "prompts"))
        prompts: tuple[SheetPrompt, ...] = ()
        if (node := fields.get("prompts")) is None:
            self.problems.append((1, "there are no prompts: add `prompts:` with names and texts"))
        elif isinstance(node, MappingNode):
            prompts = tuple(filter(None, (self._prompt(key, value) for key, value in node.value)))
            self._check_twice(prompts)
        else:
            self._problem(node, "prompts should be names with texts: `welcome: Thank you for calling.`")
        return PromptSheet(
            prompts=prompts,
            voice=self._text(fields, "voice"),
            format=self._text(fields, "format"),
            speed=self._number(fields, "speed"),
            level_dbov=self._number(fields, "level_dbov"),
        )

    def _prompt(self, key: Node, value: Node) -> SheetPrompt | None:
        name = key.value if isinstance(key, ScalarNode) else ""
        if not NAME.fullmatch(name):
            self._problem(key, f"{name!r} cannot be a file's name: use letters, digits, _, -, . and /")
            return None
        if isinstance(value, ScalarNode):
            fields: Mapping[str, Node] = {"text": value}
        else:
            fields = self._fields(value, ("text", "voice", "speed"))
        text = self._text(fields, "text")
        if not text:
            self._problem(value, f"{name!r} has no text")
            return None
        return SheetPrompt(
            name=name,
            text=text,
            voice=self._text(fields, "voice"),
            speed=self._number(fields, "speed"),
            line=key.start_mark.line + 1,
        )

    def _check_twice(self, prompts: Iterable[SheetPrompt]) -> None:
        first: dict[str, int] = {}
        for prompt in prompts:
            if prompt.name in first:
                self.problems.append(
                    (prompt.line, f"{prompt.name!r} is there already, at line {first[prompt.name]}")
                )
            first.setdefault(prompt.name, prompt.line)

    def _fields(self, node: Node | None, known: tuple[str, ...]) -> dict[str, Node]:
        if not isinstance(node, MappingNode):
            self._problem(node, "this should be a mapping of names to values")
            return {}
        fields: dict[str, Node] = {}
        for key, value in node.value:
            name = key.value if isinstance(key, ScalarNode) else ""
            if name not in known:
                close = difflib.get_close_matches(name, known, n=1)
                self._problem(
                    key, f"unknown field {name!r}" + (f"; did you mean {close[0]!r}?" if close else "")
                )
            elif name in fields:
                self._problem(key, f"{name!r} is given twice")
            else:
                fields[name] = value
        return fields

    def _text(self, fields: Mapping[str, Node], name: str) -> str | None:
        value = self._scalar(fields, name)
        return None if value is None else " ".join(str(value).split()) or None

    def _number(self, fields: Mapping[str, Node], name: str) -> float | None:
        value = self._scalar(fields, name)
        if value is None:
            return None
        try:
            return float(value)
        except ValueError:
            self._problem(fields[name], f"{name} should be a number, not {value!r}")
            return None

    def _scalar(self, fields: Mapping[str, Node], name: str) -> Any:
        node = fields.get(name)
        if node is None or (isinstance(node, ScalarNode) and node.tag == "tag:yaml.org,2002:null"):
            return None
        if not isinstance(node, ScalarNode):
            self._problem(node, f"{name} should be one value")
            return None
        return node.value

    def _problem(self, node: Node | None, message: str) -> None:
        self.problems.append((node.start_mark.line + 1 if node is not None else 1, message))

"""Dialogues written down: a flow document, and the brain that follows it."""

from sessions.brains.flow.brain import FlowBrain
from sessions.brains.flow.document import Flow
from sessions.brains.flow.reading import read_flow

__all__ = ["Flow", "FlowBrain", "read_flow"]

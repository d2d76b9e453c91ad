"""What a session and the other side of its call tell each other, whatever the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from runtime.media.frame import EncodedFrame, Pcm
from runtime.turn.barge_in import BargeInSettings
from runtime.turn.echo import EchoDetector
from runtime.turn.endpointing import TurnDetection
from runtime.wire.conversation import Conversation, Item, WordTime
from sessions.brains.brain import Tool, ToolCall
from sessions.recognizer import Transcript
from tts.phrases import WireFormat


class FrameEncoder(Protocol):
    """Turns one utterance into packets for the peer's wire, in blocks, long before they are due."""

    wire: WireFormat
    """How the audio it takes is coded; its rate is that of the packets' positions, too."""
    ptime: float
    """Seconds in its usual packet."""

    def push(self, coded: bytes) -> Sequence[EncodedFrame]:
        """Take coded audio of any length, and return the packets it completes."""
        ...

    def flush(self) -> Sequence[EncodedFrame]:
        """The last packet; empty where nothing is left."""
        ...


@dataclass(frozen=True, slots=True)
class ReplyOrder:
    """One reply that is wanted, with everything it was asked to be."""

    id: str
    instructions: str = ""
    history: Sequence[Item] | None = None
    """What the brain is shown *instead of* the conversation; None is the conversation."""
    in_conversation: bool = True
    """False for a reply beside the conversation: it takes no floor and is never interrupted by speech."""
    spoken: bool = True
    """False is written only."""
    voice: str = ""
    """Whose voice, where it is not the agent's own; resolved before."""
    speed: float = 1.0
    tools: Sequence[Tool] = ()
    tool_choice: str = "auto"
    max_tokens: int | None = None
    metadata: Mapping[str, str] | None = None


Outcome: TypeAlias = Literal["completed", "interrupted", "failed"]
"""How a reply ended: said to its end, cut by the caller's voice, or broken off by a fault."""


@dataclass(frozen=True, slots=True)
class TurnTaking:
    """How a call listens; a peer may change it in mid-call."""

    rate: int
    """Hz of the caller's PCM."""
    language: str
    """BCP-47, for the recogniser."""
    detection: TurnDetection | None
    """When a turn begins and ends; None leaves that to the peer."""
    barge_in: BargeInSettings | None
    """When speech over ours stops us; None: never."""
    answers: bool = True
    """Whether the agent replies when a turn has been detected; False waits for an order."""
    echo: EchoDetector | None = None
    """Tells our own voice from the caller's, where the wire brings it back; None where it does not."""


HangUp: TypeAlias = Literal["completed", "draining", "fault", "expired"]
"""Why we end a call: the agent said so, the server is going down, we broke, or it lasted too long."""


class Call(Protocol):
    """What a peer may ask of the session. Nothing here waits except where it says so."""

    def hear(self, pcm: Pcm) -> None:
        """The caller's next audio: mono int16 at the rate of :class:`TurnTaking`, any length."""
        ...

    async def caught_up(self) -> None:
        """Wait while more audio has been sent than can be listened to at once: do not read on meanwhile."""
        ...

    def take_turns(self, how: TurnTaking) -> None:
        """Listen like this from now on."""
        ...

    def commit(self, item_id: str) -> None:
        """The peer ended the caller's turn by hand, and wrote it down as ``item_id``."""
        ...

    def discard(self) -> None:
        """Forget the audio since the last turn."""
        ...

    def recognise(self, item_id: str, pcm: Pcm) -> None:
        """Recorded speech that came as an item: as :meth:`hear`, and report its words."""
        ...

    def press(self, digit: str) -> None:
        """The caller pressed a key, of ``0-9*#A-D``."""
        ...

    def greet(self) -> None:
        """The other side is ready to be spoken to: the agent opens the call, if it does."""
        ...

    def screen(self) -> None:
        """A call that we have placed was answered: find out by whom, and greet or leave a message."""
        ...

    def order(self, order: ReplyOrder) -> None:
        """Make this reply."""
        ...

    def stop(self, order_id: str) -> None:
        """Make no more of this reply; the peer has closed it. Ids that are over are no error."""
        ...

    def clear_playback(self) -> None:
        """Drop what was not heard yet, and report :meth:`Peer.playback_cut`."""
        ...

    def hold_line(self) -> None:
        """The line broke and may come back: say nothing meanwhile, and lose nothing of it."""
        ...

    def release_line(self) -> None:
        """The line is back: go on from the very sample at which :meth:`hold_line` stopped."""
        ...

    async def resolve_voice(self, ref: str) -> None:
        """
        Make a voice ready for later orders.

        Raises:
            VoiceNotFound: Unknown, deleted, or another tenant's.
            VoiceNotReady: Still being made, or it never became a voice.
        """
        ...


class Peer(Protocol):
    """
    The other side of one call, as its session sees it.

    A session reports facts in the order in which they happen; the peer writes them into the conversation
    and tells its wire whatever that wire has words for. No method waits, none raises: a peer that has gone
    swallows them, and its reader ends.
    """

    @property
    def transport(self) -> str:
        """The wire's name, for metrics."""
        ...

    @property
    def conversation(self) -> Conversation:
        """What has been said so far."""
        ...

    @property
    def lead(self) -> float:
        """Seconds by which audio may leave before it is due."""
        ...

    @property
    def turn_taking(self) -> TurnTaking:
        """What the call begins with."""
        ...

    # The caller

    def speech_started(self, at: float) -> None:
        """The caller took the floor, ``at`` seconds into their audio, pre-roll included."""
        ...

    def speech_stopped(self, at: float) -> None: ...

    def turn_taken(self, seconds: float) -> str:
        """Their turn is over: write it down, and return the id of its item."""
        ...

    def caller_idle(self, start: float, end: float) -> None:
        """Nobody spoke for as long as the agent is willing to wait."""
        ...

    def words_so_far(self, text: str) -> None:
        """What was recognised of the turn that is being spoken; it may still change."""
        ...

    def transcribed(self, item_id: str, transcript: Transcript) -> None: ...

    def not_transcribed(self, item_id: str, error: Exception) -> None: ...

    def keys_pressed(self, digits: str) -> str:
        """The caller keyed in ``digits``, of ``0-9*#A-D``: write it down, and return the id of its item."""
        ...

    # The agent

    def begin_reply(self) -> ReplyOrder:
        """The agent speaks of its own accord; no other reply of the conversation is being made."""
        ...

    def encoder(self, order: ReplyOrder, position: int) -> FrameEncoder:
        """Packets for a reply whose first sample has ``position`` on the outgoing stream."""
        ...

    def words(self, order: ReplyOrder, delta: str) -> str:
        """The reply's next words as the brain makes them. Returns those that may be said."""
        ...

    def send_frames(
        self, order: ReplyOrder, frames: Sequence[EncodedFrame], words: Sequence[WordTime]
    ) -> None:
        """
        Put audio on the wire now. ``words`` are those that begin in it, timed from the message's first
        sample, with spans that index what :meth:`words` returned for the message.
        """
        ...

    def tool_called(self, order: ReplyOrder, call: ToolCall) -> None: ...

    def playback_cut(self, order: ReplyOrder, heard: float) -> None:
        """
        The audio of this reply was stopped when ``heard`` seconds of its message had been heard: cut the
        conversation there, and have the far buffer dropped.
        """
        ...

    def reply_finished(self, order: ReplyOrder, outcome: Outcome, error: Exception | None = None) -> None: ...

    # The call

    async def read(self, call: Call) -> None:
        """Take in what the other side says until it has gone. The session's life is as long as this."""
        ...

    def transfer(self, to: str) -> None:
        """Hand the caller on, to a number, an address or a queue. Wires that cannot say so hang up."""
        ...

    def hang_up(self, reason: HangUp) -> None:
        """End the call from our side, after what was sent; :meth:`read` returns soon."""
        ...

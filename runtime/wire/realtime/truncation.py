"""How much of an answer a client says was heard, if that can be."""

from __future__ import annotations

from runtime.errors import InvalidRequest
from runtime.wire.conversation import Item, Message, SpokenPart, spoken_part

TOLERANCE_MS = 500
"""By which a client may claim to have heard more than there was: players round, and race us."""


def heard_ms(item: Item, *, content_index: int, audio_end_ms: int) -> int:
    """
    ``audio_end_ms``, clamped to the audio there is.

    Raises:
        InvalidRequest: Not an agent's speech, or far more of it than there is; ``param`` says which.
    """
    if not isinstance(item, Message) or (part := spoken_part(item)) is None:
        raise InvalidRequest(
            f"Only the audio of an assistant message can be truncated; '{item.id}' has none.",
            code="invalid_value",
            param="item_id",
        )
    if not (0 <= content_index < len(item.content) and isinstance(item.content[content_index], SpokenPart)):
        raise InvalidRequest(
            f"Content part {content_index} of '{item.id}' has no audio.",
            code="invalid_value",
            param="content_index",
        )
    if audio_end_ms < 0:
        raise InvalidRequest(
            f"'audio_end_ms' is {audio_end_ms}; it cannot be negative.",
            code="invalid_value",
            param="audio_end_ms",
        )
    made_ms = round(part.seconds * 1000)
    if audio_end_ms > made_ms + TOLERANCE_MS and not part.cut:
        raise InvalidRequest(
            f"Audio content of {made_ms}ms is already shorter than {audio_end_ms}ms",
            code="invalid_value",
            param="audio_end_ms",
        )
    return min(audio_end_ms, made_ms)

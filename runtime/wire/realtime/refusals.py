"""
Every error a client of this protocol can meet: its code and, where clients read it, its exact message.

Clients branch on these words. Pipecat takes every other error for fatal and stops reading, so nothing
harmless may be answered with one: see ``IGNORED`` in :mod:`runtime.wire.realtime.rules`.
"""

from __future__ import annotations

from collections.abc import Sequence

from runtime.errors import InvalidRequest

BETA_SHAPE = "beta_api_shape_disabled"

BETA_HEADER = (
    "The beta Realtime API is not served. Leave out the header 'OpenAI-Beta: realtime=v1' and send the GA "
    "shapes: session.type, output_modalities, audio.input and audio.output."
)

CANCEL_NOT_ACTIVE = "response_cancel_not_active"
"""Known to Pipecat by its code and to LiveKit by how its message begins."""

ALREADY_ACTIVE = "conversation_already_has_active_response"

TOO_MANY_RESPONSES = "too_many_active_responses"

COMMIT_EMPTY = "input_audio_buffer_commit_empty"
"""LiveKit ignores it under server VAD."""

RETRIEVE_UNKNOWN = "item_retrieve_invalid_item_id"
"""Pipecat fails the future that waits for the item."""

CREATE_DUPLICATE = "item_create_duplicate_item_id"
"""LiveKit takes it for success."""

TRUNCATE_UNKNOWN = "item_truncate_invalid_item_id"

DELETE_UNKNOWN = "item_delete_invalid_item_id"

CREATE_AFTER_UNKNOWN = "item_create_invalid_previous_item_id"

VOICE_FROZEN = "cannot_update_voice"

NOT_IN_TRANSCRIPTION = "invalid_session_type"


def invalid_value(param: str, value: object, supported: Sequence[str]) -> InvalidRequest:
    """A value outside a closed list."""
    shown = repr(value)[:80] if not isinstance(value, str) else f"'{value[:80]}'"
    choices = ", ".join(f"'{choice}'" for choice in supported)
    return InvalidRequest(
        f"Invalid value: {shown}. Supported values are: {choices}.", code="invalid_value", param=param
    )


def missing_parameter(param: str) -> InvalidRequest:
    return InvalidRequest(
        f"Missing required parameter: '{param}'.", code="missing_required_parameter", param=param
    )

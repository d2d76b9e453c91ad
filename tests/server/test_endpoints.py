"""Every address that the four products, and the surfaces beside them, document is served."""

from __future__ import annotations

import pytest
from starlette.routing import WebSocketRoute

from runtime.server import elevenlabs_socket, media, omni, webrtc
from runtime.server.dialects.catalogue import DIALECTS

AGENT = "/v1/agents/{agent_id}"

DOCUMENTED = {
    "pyai": """
        POST /v1/voice/clones
        GET /v1/voice/clones
        GET /v1/voice/clones/{id}
        DELETE /v1/voice/clones/{id}
        DELETE /v1/voice/clones/{id}/reference
        GET /v1/voice/clones/{id}/report
        GET /v1/voice/clones/{id}/report.png
        POST /v1/voice/clones/check
        POST /v1/voice/clones/{id}/consent/revoke
        POST /v1/audio/speech
        GET /v1/voices
        GET /v1/voices/{id}
        GET /v1/models
        POST /v1/voice/design
        POST /v1/voice/design/{id}/save
        POST /v1/agents
        GET /v1/agents
        GET /v1/agents/{id}
        PATCH /v1/agents/{id}
        DELETE /v1/agents/{id}
        POST /v1/sandbox/keys
        GET /v1/me
        POST /v1/omni/sessions
        GET /v1/omni/calls
        GET /v1/omni/calls/{id}
        GET /v1/omni/calls/{id}/transcript
        GET /v1/omni/calls/{id}/recording
        POST /v1/webhooks
        GET /v1/webhooks
        POST /v1/transcribe/jobs
        GET /v1/transcribe/jobs/{id}
        GET /v1/audit
        GET /v1/engine
        POST /v1/provenance/verify
        POST /v1/audio/voices
        DELETE /v1/audio/voices/{id}
        POST /v1/audio/voice_consents
        GET /v1/audio/voice_consents
        GET /v1/audio/voice_consents/{id}
        POST /v1/audio/voice_consents/{id}
        DELETE /v1/audio/voice_consents/{id}
        POST /v1/audio/transcriptions
    """,
    "truedy": """
        POST /api/public/v1/voices/clone
        POST /api/public/v1/voices
        GET /api/public/v1/voices
        GET /api/public/v1/voices/{voice_id}
        GET /api/public/v1/voices/{voice_id}/preview
    """,
    "uponai": """
        POST /api/voices/clone
        POST /api/voices/add
        GET /api/voices
        GET /api/voices/search
        GET /api/voices/{voiceId}
        GET /api/voices/{voiceId}/sample
    """,
    "agentcore": f"""
        GET {AGENT}/voice/library
        GET {AGENT}/voice/integrations/elevenlabs
        POST {AGENT}/voice/integrations/elevenlabs
        POST {AGENT}/voice/integrations/elevenlabs/test
        DELETE {AGENT}/voice/integrations/elevenlabs
        POST {AGENT}/voice/design/generate-script
        POST {AGENT}/voice/design/generate-description
        POST {AGENT}/voice/design/generate-samples
        POST {AGENT}/voice/design
        POST {AGENT}/voice/clone
        DELETE {AGENT}/voice/{{voice_id}}
        POST {AGENT}/voice/{{voice_id}}/preview
        GET {AGENT}/voice/preview/{{job_id}}
        GET {AGENT}/core
        PATCH {AGENT}/core
        GET /v1/agents
        GET {AGENT}
    """,
    "elevenlabs": """
        POST /v1/text-to-speech/{voice_id}
        POST /v1/text-to-speech/{voice_id}/stream
        POST /v1/text-to-speech/{voice_id}/with-timestamps
        POST /v1/text-to-speech/{voice_id}/stream/with-timestamps
        POST /v1/voices/add
        GET /v1/voices
    """,
}

SOCKETS = (
    "/v1/omni",
    "/v2/omni/chat",
    "/v1/realtime",
    "/v1/text-to-speech/{voice_id}/stream-input",
    "/v1/text-to-speech/{voice_id}/multi-stream-input",
)

ENDPOINTS = [
    (name, *line.split()) for name, lines in DOCUMENTED.items() for line in lines.strip().splitlines()
]


@pytest.mark.parametrize(("name", "method", "path"), ENDPOINTS, ids=" ".join)
def test_what_is_documented_is_served(name: str, method: str, path: str) -> None:
    dialect = next(dialect for dialect in DIALECTS if dialect.name == name)
    served = {
        (method, route.path)  # type: ignore[attr-defined]
        for router in dialect.routers
        for route in router.routes
        for method in route.methods  # type: ignore[attr-defined]
    }
    assert (method, path) in served


@pytest.mark.parametrize("path", SOCKETS)
def test_every_documented_socket_is_served(path: str) -> None:
    routes = [*omni.routes, *media.routes, *elevenlabs_socket.routes, *webrtc.routes]
    assert path in {route.path for route in routes if isinstance(route, WebSocketRoute)}

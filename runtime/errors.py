"""
Every error a caller may catch, drawn once.

::

    VivavoceError
    ├── RequestError                 the caller's request cannot be served as asked      4xx
    │   ├── InvalidRequest           a field is missing or has a value it cannot have     400
    │   ├── Unauthorized             no key, or a key we do not know                      401
    │   ├── InsufficientCredits      the balance does not cover it                        402
    │   ├── Forbidden                the key lacks a scope or a role                      403
    │   │   └── ConsentRevoked       the speaker has taken their word back
    │   ├── NotFound                 unknown, deleted, or somebody else's                 404
    │   │   └── VoiceNotFound
    │   ├── Conflict                 legal, but not in the object's present state         409
    │   │   └── VoiceNotReady        pending or failed
    │   ├── PreconditionFailed       If-Match names what is no longer so                  412
    │   ├── UnsupportedMediaType     a body of a kind that is not read here               415
    │   └── RateLimited              too many requests for this key                       429
    ├── EnrolmentError               the recording cannot become a voice                  4xx
    │   ├── UploadTooLarge           413
    │   ├── Undecodable              not audio, empty, truncated, or out of bounds        422
    │   ├── GateRejected             carries the gate's report                            422
    │   └── EnrolmentTimeout         still going on when the caller's patience ended      504
    ├── PeerError                    the other side of a call broke its protocol    close 1002/1003/1007
    │   ├── MalformedMessage
    │   ├── UnexpectedMessage        legal, but not in this state
    │   └── UnsupportedFormat        rate, codec or channel count
    ├── TransportClosed              the other side has gone
    ├── AtCapacity                   503, close 1013
    ├── BrainError                   timed out, refused, or broke in mid-sentence         502
    ├── SpeechError                  synthesis                                            503
    │   ├── EngineUnavailable
    │   └── SynthesisFailed
    ├── RecognitionError             speech to text                                       503
    ├── StoreUnavailable             recordings cannot be read or written now               503
    └── WorkerDied                   a child process ended in the middle of a request     503

Only ``runtime.server`` and the transports turn these into HTTP statuses and close codes.
"""

from __future__ import annotations


class VivavoceError(Exception):
    """
    Root of the tree.

    Attributes:
        status: HTTP status the edge answers with.
        code: Stable machine-readable word; clients branch on it, never on the message.
        close_code: WebSocket close code, RFC 6455 §7.4.
    """

    status: int = 500
    code: str = "internal_error"
    close_code: int = 1011

    def __init__(self, message: str, *, code: str | None = None, fix: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix
        """What the caller can change so that it works; None where nothing can be said."""
        if code is not None:
            self.code = code


class RequestError(VivavoceError):
    status = 400
    code = "invalid_request"
    close_code = 1008

    def __init__(
        self, message: str, *, code: str | None = None, fix: str | None = None, param: str | None = None
    ) -> None:
        super().__init__(message, code=code, fix=fix)
        self.param = param
        """The field at fault, as the caller spelled it."""


class InvalidRequest(RequestError):
    pass


class Unauthorized(RequestError):
    status = 401
    code = "unauthorized"


class Forbidden(RequestError):
    status = 403
    code = "forbidden"

    def __init__(self, message: str, *, required_scope: str | None = None) -> None:
        super().__init__(message)
        self.required_scope = required_scope


class ConsentRevoked(Forbidden):
    code = "consent_revoked"


class InsufficientCredits(RequestError):
    status = 402
    code = "insufficient_credits"

    def __init__(self, message: str, *, required: int, balance: int) -> None:
        super().__init__(message)
        self.required = required
        self.balance = balance
        """Credits."""


class NotFound(RequestError):
    status = 404
    code = "not_found"


class VoiceNotFound(NotFound):
    code = "voice_not_found"


class Conflict(RequestError):
    status = 409
    code = "conflict"


class VoiceNotReady(Conflict):
    code = "voice_not_ready"


class PreconditionFailed(RequestError):
    status = 412
    code = "precondition_failed"


class UnsupportedMediaType(RequestError):
    status = 415
    code = "unsupported_media_type"


class RateLimited(RequestError):
    status = 429
    code = "rate_limit_exceeded"

    def __init__(self, message: str, *, retry_after: float, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.retry_after = retry_after
        """Seconds."""


class EnrolmentError(VivavoceError):
    status = 422
    code = "enrolment_failed"


class UploadTooLarge(EnrolmentError):
    status = 413
    code = "payload_too_large"


class Undecodable(EnrolmentError):
    code = "undecodable"


class GateRejected(EnrolmentError):
    code = "voice_rejected"

    def __init__(self, message: str, *, report: object) -> None:
        super().__init__(message)
        self.report = report
        """The :class:`tts.voices.gate.GateReport`; typed loosely because it lives three floors up."""


class EnrolmentTimeout(EnrolmentError):
    status = 504
    code = "enrolment_timeout"


class PeerError(VivavoceError):
    status = 400
    code = "protocol_error"
    close_code = 1002


class MalformedMessage(PeerError):
    close_code = 1007


class UnexpectedMessage(PeerError):
    pass


class UnsupportedFormat(PeerError):
    close_code = 1003


class TransportClosed(VivavoceError):
    code = "transport_closed"

    def __init__(self, message: str, *, close_code: int = 1006) -> None:
        super().__init__(message)
        self.close_code = close_code


class AtCapacity(VivavoceError):
    status = 503
    code = "at_capacity"
    close_code = 1013

    def __init__(self, message: str, *, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds."""


class BrainError(VivavoceError):
    status = 502
    code = "brain_error"


class SpeechError(VivavoceError):
    status = 503
    code = "speech_error"


class EngineUnavailable(SpeechError):
    code = "engine_unavailable"


class SynthesisFailed(SpeechError):
    code = "synthesis_failed"


class RecognitionError(VivavoceError):
    status = 503
    code = "recognition_error"


class StoreUnavailable(VivavoceError):
    status = 503
    code = "store_unavailable"


class WorkerDied(VivavoceError):
    status = 503
    code = "worker_died"

"""
vivavoce: a realtime voice-agent runtime that speaks in cloned voices.

Imports point down only; ``make check`` holds it::

    6  runtime.server, runtime.cli, runtime.settings   builds everything; routes, dialects, console
    5  sessions                                        one call: listen, think, speak
    4  tts            | runtime.transport | runtime.store   sound | sockets, peers | rows and blobs
    3  runtime.turn   | runtime.wire                   whose turn? | what does this message mean?   (pure)
    2  runtime.media                                   samples, frames, the schedule                (pure)
    1  runtime.workers, clock, errors, logs, metrics

This package imports nothing, so that ``import runtime.media`` stays light.
"""

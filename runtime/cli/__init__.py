"""The ``vivavoce`` command: serve, demo, voices, speech, prompts, agents, keys, doctor."""

from __future__ import annotations

import sys

import typer

from runtime.cli import accounts, clones, demo, doctor, prompts, serve, voices
from runtime.cli.client import ApiError, Unreachable
from runtime.cli.output import fail

app = typer.Typer(
    help="A realtime voice-agent runtime server that speaks in cloned voices.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("serve")(serve.serve)
app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)
app.command("speech")(voices.speech)
app.add_typer(voices.app, name="voices")
app.add_typer(clones.app, name="voice", hidden=True)  # the guide's word for it
app.add_typer(prompts.app, name="prompts")
app.add_typer(accounts.agents, name="agents")
app.add_typer(accounts.keys, name="keys")


def main() -> None:
    """Run the command line; errors of the API and of the network are sentences, not tracebacks."""
    try:
        app()
    except ApiError as error:
        fail(str(error), fix=error.fix)
        sys.exit(1)
    except Unreachable as error:
        fail(str(error), fix="start one with `vivavoce serve`, or name another with --url or VIVAVOCE_URL")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)

"""``vivavoce serve``: settings from the command line and environment, then the server until it is stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError

from runtime.cli.output import fail
from runtime.settings import Settings


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="TCP port; 0 picks a free one.")] = None,
    engine: Annotated[str | None, typer.Option(help="Which engine speaks: clone or tone.")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Server processes; each uses a core of its own.")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the database and the recordings.")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
) -> None:
    """Run the server until Ctrl-C or SIGTERM; live calls are drained first."""
    given = {
        "host": host,
        "port": port,
        "engine": engine,
        "workers": workers,
        "data_dir": data_dir,
        "log_level": log_level,
    }
    run_server(load_settings(**{name: value for name, value in given.items() if value is not None}))


def load_settings(**overrides: Any) -> Settings:
    """Settings with these overrides; a value that cannot be is reported by name, exit status 2."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        for problem in error.errors():
            name = "_".join(str(part) for part in problem["loc"])
            fail(
                f"setting {name}: {problem['msg']} (got {problem['input']!r})",
                fix=f"set VIVAVOCE_{name.upper()}",
            )
        raise typer.Exit(2) from None
    except SettingsError as error:
        fail(str(error), fix="write lists and objects as JSON")
        raise typer.Exit(2) from None


def run_server(settings: Settings) -> None:
    """Serve until a signal; returns after the drain."""
    from runtime.logs import configure

    configure(settings.log_level, settings.log_format)
    if settings.workers > 1:
        from runtime.server.fleet import Fleet

        Fleet(settings).run()
    else:
        from runtime.server.listen import listen

        listen(settings)

"""``python -m pyai`` is the ``pyai`` command."""

from vivavoce.cli import run

from pyai import PyAI


def main() -> None:
    """``pyai voice clones create|get|list|delete|report`` and ``pyai speech``."""
    run(PyAI)


if __name__ == "__main__":
    main()

"""``python -m runtime`` is the ``vivavoce`` command."""

from runtime.cli import main

if __name__ == "__main__":
    main()

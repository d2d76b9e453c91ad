"""``python -m pyai`` is the ``pyai`` command."""

from pyai.cli import main

if __name__ == "__main__":
    main()

"""``python -m vivavoce``: the commands of a client, where the server's own ``vivavoce`` is not installed."""

from vivavoce.cli import run
from vivavoce.client import Vivavoce

if __name__ == "__main__":
    run(Vivavoce)

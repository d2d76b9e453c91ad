"""
PyAI's client: voices cloned and spoken, in the words of its guide.

Opt-in, so that no other package of this name is shadowed unasked: ``pip install ./clients/vivavoce
./clients/pyai``. It is :class:`vivavoce.Vivavoce` under another name::

    from pyai import PyAI

    pyai = PyAI(api_key=os.environ["PYAI_API_KEY"])
    with open("reference.wav", "rb") as f:
        voice = pyai.voice.clones.create(name="Ava — brand voice", file=f)
"""

from vivavoce.client import ApiError, Vivavoce
from vivavoce.voices import Voice


class PyAI(Vivavoce):
    """As :class:`vivavoce.Vivavoce`, with ``PYAI_API_KEY`` and ``PYAI_BASE_URL`` from the environment."""

    key_variable = "PYAI_API_KEY"
    url_variable = "PYAI_BASE_URL"


PyAIError = ApiError

__all__ = ["PyAI", "PyAIError", "Voice"]

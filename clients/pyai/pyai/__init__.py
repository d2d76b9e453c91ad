"""
PyAI's client: voices cloned and spoken, in the words of its guide.

Opt-in (``pip install ./clients/pyai``), so that no other package of this name is shadowed unasked::

    from pyai import PyAI

    pyai = PyAI(api_key=os.environ["PYAI_API_KEY"])
    with open("reference.wav", "rb") as f:
        voice = pyai.voice.clones.create(name="Ava — brand voice", file=f)
"""

from pyai.client import PyAI, PyAIError, Voice

__all__ = ["PyAI", "PyAIError", "Voice"]

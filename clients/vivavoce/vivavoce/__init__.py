"""
A client of vivavoce, and of every server that speaks PyAI's API.

::

    from vivavoce import Vivavoce

    vivavoce = Vivavoce(api_key=os.environ["VIVAVOCE_API_KEY"])
    with open("reference.wav", "rb") as f:
        voice = vivavoce.voice.clones.create(name="Ava — brand voice", file=f)
    voice = vivavoce.voice.clones.wait(voice.id)
    audio = vivavoce.audio.speech(input="Hello in my own voice.", voice=voice.id)
"""

from vivavoce.client import ApiError, Vivavoce
from vivavoce.voices import Voice
from vivavoce.webhooks import is_genuine

__all__ = ["ApiError", "Vivavoce", "Voice", "is_genuine"]

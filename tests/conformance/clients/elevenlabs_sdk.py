"""Speaks, streams, times words and clones a voice through the stock ElevenLabs SDK; prints what came back."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from elevenlabs import ElevenLabs

task = json.loads(sys.argv[1])
client = ElevenLabs(base_url=task["url"], api_key=task["key"])
text = "Hello from a stock client."

pcm = b"".join(client.text_to_speech.convert(voice_id=task["voice"], text=text, output_format="pcm_24000"))
mp3 = b"".join(client.text_to_speech.stream(voice_id=task["voice"], text=text, output_format="mp3_44100_128"))
timed = client.text_to_speech.convert_with_timestamps(voice_id=task["voice"], text=text)
with Path(task["recording"]).open("rb") as recording:
    made = client.voices.ivc.create(name="Ava", files=[recording])

sys.stdout.write(
    json.dumps(
        {
            "seconds": len(pcm) / 2 / 24_000,
            "mp3_bytes": len(mp3),
            "characters": "".join(timed.alignment.characters),
            "ends": timed.alignment.character_end_times_seconds,
            "made": made.voice_id,
            "voices": [voice.voice_id for voice in client.voices.get_all().voices],
        }
    )
)

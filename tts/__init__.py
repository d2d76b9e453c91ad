"""Text to sound: engines, the pool that runs them, the text they are given, the voices they speak in."""

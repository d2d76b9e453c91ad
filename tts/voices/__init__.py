"""Voices: judged by the gate, made by the cloner, resolved when a session opens."""

"""Whose turn is it? Pure: counts audio, never the clock."""

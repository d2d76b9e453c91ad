"""Adapters between a session and one wire protocol each: what was said to us, and how to say it to them."""

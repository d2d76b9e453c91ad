"""Brains: echo, flow (a dialogue written down), openai (any compatible chat endpoint)."""

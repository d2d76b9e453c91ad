"""The speech engines, by name. Heavy imports stay inside each engine."""

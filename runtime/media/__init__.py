"""Samples, frames and the schedule on which they leave. Pure: callers pass ``now``."""

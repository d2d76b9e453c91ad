"""From text as written to pieces that can be spoken."""

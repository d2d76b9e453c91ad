"""Other servers that take the same Twilio calls, for a ratio measured in one run on one machine."""

"""The product APIs: each parses, calls one service, and renders. No decision about voices lives here."""

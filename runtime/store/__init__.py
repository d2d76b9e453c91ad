"""Rows and blobs: what outlives the process. Every look-up is told whose it is."""

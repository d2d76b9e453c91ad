"""Rows and blobs: what must survive a restart."""

"""Sockets and peers: everything that awaits the network."""

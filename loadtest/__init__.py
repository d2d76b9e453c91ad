"""Many calls against a server, over the network only."""

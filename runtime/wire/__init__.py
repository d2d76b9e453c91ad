"""What does this message mean? One sans-I/O file per protocol, all of the same shape."""

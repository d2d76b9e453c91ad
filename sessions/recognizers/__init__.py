"""The recognisers that ship: one file each."""

"""Inference: rows prepared piece by piece, in batches of one fixed size, by one compiled program."""

"""Inference: fixed batches, one compiled program, and rows prepared piece by piece."""

"""Networks that answer: fixed batches, one compiled program, rows prepared piece by piece."""

"""What data asks of a network: told from the data alone (no Keras)."""

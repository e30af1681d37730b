"""Recommend a head for a network from the data alone (no Keras)."""

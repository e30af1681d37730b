"""Recommenders that learn from ratings."""

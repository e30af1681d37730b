"""Attacks on codeword as programs; docs/reliability.md shows their results."""

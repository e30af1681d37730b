"""Remedies: lines to paste, hard functions with a slope, and rebuilt models."""

"""Arrays as users bring them: checked, scanned, identified (no Keras)."""

"""What codes are worth, beside the plain ways to do the same (no Keras)."""

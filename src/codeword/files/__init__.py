"""Files: models, tables and what is read in pieces (no Keras)."""

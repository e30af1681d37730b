"""How networks are trained and run."""

"""scikit-learn estimators: fit, encode, decode, save, load."""

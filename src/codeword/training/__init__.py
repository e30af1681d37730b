"""Training of Keras models: the user's `fit`, the estimators' recipe, and the loops behind both."""

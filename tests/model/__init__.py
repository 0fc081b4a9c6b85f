"""The submission protocol as a model, and a search through all that can happen to it."""

"""The controller's image, made without an engine: `make image-test`."""

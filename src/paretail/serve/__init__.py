"""The live shop over HTTP: endpoints, keys, limits, metrics."""

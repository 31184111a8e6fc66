"""The answer over HTTP, from a bundle."""

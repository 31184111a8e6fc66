"""Stores: what a live shop must not forget, one file a kind of place."""

"""Live: a bundle and a store together, answering while both change."""

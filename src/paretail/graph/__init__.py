"""The shop as one typed graph: users, items, categories, brands, attributes and who did what, when."""

"""Features: what the catalogue says of items as matrices of numbers, one code for every station."""

"""From the shop's files to checked tables in one vocabulary."""

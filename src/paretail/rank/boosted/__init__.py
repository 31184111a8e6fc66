"""Boosted: a ranker for logs that do not tell what was shown, learned from lists that a retriever would have made."""

"""Architecture search: what can be searched, strategies that ask for architectures and are told their scores."""

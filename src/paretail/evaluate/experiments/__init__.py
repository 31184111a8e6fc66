"""Statistics of experiments: who is in which arm, whether that went right, what may be read when, the end."""

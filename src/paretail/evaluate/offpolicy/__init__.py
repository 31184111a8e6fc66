"""What a policy would have earned, from the log of another: estimators, intervals, and guards that refuse."""

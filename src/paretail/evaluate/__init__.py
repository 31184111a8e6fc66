"""How good recommendations are: per-user metrics over full rankings, with intervals and by segment."""

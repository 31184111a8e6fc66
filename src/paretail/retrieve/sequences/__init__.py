"""Users' events in order, and what a Transformer makes of them: tokens, compiled scoring, training (`learning`)."""

"""Users' events in order, and what a Transformer makes of them: tokens, scoring in numpy, training (`learning`)."""

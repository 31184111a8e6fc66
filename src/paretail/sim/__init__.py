"""Simulated shops whose truth is known: a demo shop to try things on, planted worlds to test learners on."""

"""Validate: what the final headers say, as a frame, and what follows from the rules that failed."""

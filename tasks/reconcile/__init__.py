"""`reconcile`: groups objects into studies, finds out whose they are, and composes the final headers."""

"""Questions that take many evaluations."""

"""Experiments that take many evaluations."""

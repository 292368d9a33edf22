"""Pruning of any network in a program or a notebook: what ``import pruning`` offers."""

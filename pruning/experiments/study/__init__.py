"""A study: grids of recipes and of retraining runs in one file, measured, resumable, reported."""

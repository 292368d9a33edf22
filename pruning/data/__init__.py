"""Datasets: images and labels in fixed splits, and how they are downloaded."""

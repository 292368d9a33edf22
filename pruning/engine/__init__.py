"""Recipe to pruned network to evaluation, through caches and the store."""

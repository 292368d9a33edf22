"""What any program needs: errors, registries, files, jobs, memory, the check of what is installed."""

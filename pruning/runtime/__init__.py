"""Basic services: errors, registries, files, jobs, memory, the check of the installation."""

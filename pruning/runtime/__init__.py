"""Basic services: errors, registries, files, jobs, memory, defaults, check of the installation."""

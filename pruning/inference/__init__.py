"""A network with some parameters replaced, as a fast function, and its accuracy."""

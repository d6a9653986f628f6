"""kanpde beside pykan, DeepXDE and jaxKAN: error against time, each library in an environment of its own."""

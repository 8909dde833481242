"""The oracle: what every Silver and Gold table must hold, computed from the sources and the definitions alone."""

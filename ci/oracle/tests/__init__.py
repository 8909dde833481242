"""Small worlds worked out by hand from the definitions, and what the oracle makes of them."""

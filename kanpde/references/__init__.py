"""References: grid differences and collocation from the same normal form, and the estimate of a field's error (no torch)."""

"""A controlled study: how often a trained network is read back as the formula that it approximates."""

"""Which model version a scoring job loads, and what a version must pass before it."""

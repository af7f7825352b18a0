"""What `python -m bot` offers, one file per command that is more than a line."""

"""The dashboard: what waits, what fails, what came in, what was done and what runs wrote."""

"""Passes over pull requests: what is read, what is asked for, what is reported, what is tidied."""

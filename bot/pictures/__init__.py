"""Pictures for people: those of a project made harmless, and charts of its metrics. Reads and
writes nothing.
"""

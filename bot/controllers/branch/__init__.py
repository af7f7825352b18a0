"""Passes over target branches: the workspace reconciled with what Git holds."""

"""Passes over registered models: promotions, rollbacks, retrainings, requests for a stage."""

"""Signalman: a GitOps bot for machine learning on Azure DevOps and Databricks."""

"""A stand-in Databricks workspace: a real tree of files, jobs that really run, a real MLflow server behind it."""

from bot.sandbox.databricks.server import Databricks
from bot.sandbox.databricks.wire import Exchange

__all__ = ["Databricks", "Exchange"]

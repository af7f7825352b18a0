"""A stand-in Databricks workspace: a real tree of files, jobs that really run, a real MLflow server
behind it.
"""

from sandbox.databricks.server import Databricks
from sandbox.databricks.wire import Exchange

__all__ = ["Databricks", "Exchange"]

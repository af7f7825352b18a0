# Databricks notebook source
# MAGIC %md
# MAGIC # Train a model from the merged commit
# MAGIC Runs `../projects/<project>`, which the merge synced here, and registers what it trains under `model_name`.
# MAGIC Run it as a job task or by hand. An empty field means the project's own default.

# COMMAND ----------

dbutils.widgets.text("project", "ExampleTrainingProject")
dbutils.widgets.text("model_name", "diabetes_model")
dbutils.widgets.text("data", "full")
# A training makes the next version; the field is here so that one job can hand the same parameters to both hooks.
dbutils.widgets.text("model_version", "")

# COMMAND ----------

import json

from run_project import run

result = run(
    dbutils.widgets.get("project"),
    {"model_name": dbutils.widgets.get("model_name"), "data": dbutils.widgets.get("data")},
)

# COMMAND ----------

# What the run's page and `jobs/runs/get-output` show.
dbutils.notebook.exit(json.dumps(result))

# Databricks notebook source
# MAGIC %md
# MAGIC # Score with the promoted version
# MAGIC Runs `../projects/<project>`, which the merge synced here, with exactly `model_version` of `model_name`.
# MAGIC Signalman points the scoring job's parameters at a version when one is promoted; nothing here chooses one.

# COMMAND ----------

dbutils.widgets.text("project", "ExampleScoringProject")
dbutils.widgets.text("model_name", "diabetes_model")
dbutils.widgets.text("model_version", "")
dbutils.widgets.text("data", "full")

# COMMAND ----------

model_name = dbutils.widgets.get("model_name")
model_version = dbutils.widgets.get("model_version")
if not model_version:
    dbutils.notebook.exit(
        f"No version of {model_name or 'a model'} has been promoted yet, so there is nothing to score."
    )

# COMMAND ----------

import json

from run_project import run

result = run(
    dbutils.widgets.get("project"),
    {"model_name": model_name, "model_version": model_version, "data": dbutils.widgets.get("data")},
)

# COMMAND ----------

# What the run's page and `jobs/runs/get-output` show.
dbutils.notebook.exit(json.dumps(result))

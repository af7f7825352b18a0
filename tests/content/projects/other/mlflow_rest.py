"""The few REST calls a story's project makes, so that it needs no import that takes seconds."""

import json
import os
import time
import urllib.request


def call(path, body, method="POST"):
    address = os.environ["MLFLOW_TRACKING_URI"]
    headers = {"Content-Type": "application/json"}
    if address == "databricks":
        address = os.environ["DATABRICKS_HOST"]
        headers["Authorization"] = "Bearer " + os.environ["DATABRICKS_TOKEN"]
    request = urllib.request.Request(
        f"{address}/api/2.0/mlflow/{path}", json.dumps(body).encode(), headers, method=method
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def metric(name, value):
    call("runs/log-metric", {"run_id": RUN, "key": name, "value": value, "timestamp": int(time.time() * 1000)})


def register(name):
    try:
        call("registered-models/create", {"name": name})
    except urllib.error.HTTPError:
        pass  # it exists
    source = call(f"runs/get?run_id={RUN}", None, "GET")["run"]["info"]["artifact_uri"]
    return call("model-versions/create", {"name": name, "source": source, "run_id": RUN})["model_version"]["version"]


RUN = os.environ["MLFLOW_RUN_ID"]

"""The few REST calls a story's project makes, so that it needs no import that takes seconds."""

import json
import os
import pathlib
import time
import urllib.error
import urllib.request


def call(path, body, method="POST", address=None):
    address = address or os.environ["MLFLOW_TRACKING_URI"]
    headers = {"Content-Type": "application/json"}
    if address == "databricks":
        address = os.environ["DATABRICKS_HOST"]
        headers["Authorization"] = "Bearer " + os.environ["DATABRICKS_TOKEN"]
    sent = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{address}/api/2.0/mlflow/{path}", sent, headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def registry(path, body, method="POST"):
    if IN_UNITY_CATALOG:
        return call(f"unity-catalog/{path}", body, method, "databricks")
    return call(path, body, method)


def metric(name, value):
    call("runs/log-metric", {"run_id": RUN, "key": name, "value": value, "timestamp": int(time.time() * 1000)})


def register(name):
    try:
        registry("registered-models/create", {"name": name})
    except urllib.error.HTTPError:
        pass  # it exists
    source = call(f"runs/get?run_id={RUN}", None, "GET")["run"]["info"]["artifact_uri"]
    describe(source)
    made = registry("model-versions/create", {"name": name, "source": source, "run_id": RUN})["model_version"]
    if IN_UNITY_CATALOG:
        registry("model-versions/finalize", {"name": made["name"], "version": made["version"]})
    return made["version"]


def describe(source):
    """What MLflow writes of a model that takes two columns, where it keeps its files in a folder."""
    folder = pathlib.Path(source.removeprefix("file://"))
    if folder.is_absolute():
        folder.mkdir(parents=True, exist_ok=True)
        signature = {"inputs": json.dumps(COLUMNS), "outputs": json.dumps([{"type": "double", "required": True}])}
        (folder / "MLmodel").write_text(json.dumps({"signature": signature}))


COLUMNS = [{"name": name, "type": "double", "required": True} for name in ("acidity", "sugar")]
IN_UNITY_CATALOG = os.environ.get("MLFLOW_REGISTRY_URI") == "databricks-uc"
RUN = os.environ["MLFLOW_RUN_ID"]

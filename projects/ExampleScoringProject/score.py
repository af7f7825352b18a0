"""Predicts with exactly the model version it is given, and says in every row it writes which one
that was.

Where a Spark session is at hand the cluster predicts, elsewhere pandas does. A
model whose signature does not fit the data is refused with a sentence before
anything is written.
"""

import argparse
import math
import os
import tempfile
from pathlib import Path

os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import mlflow
import mlflow.pyfunc
import predict
from dataset import read, spark
from mlflow.exceptions import MlflowException

SAMPLE_ROWS = 5


def main():
    """Score the rows with the version and log how many there were and what came out."""
    asked = _arguments()
    with mlflow.start_run() as run:
        who = {"model_name": asked.model_name, "model_version": asked.model_version}
        mlflow.log_params({**who, "data": asked.data})
        mlflow.set_tags(who)
        uri, model = _load(asked.model_name, asked.model_version)
        frame = read(asked.data)
        session = spark()
        marks = {**who, "run_id": run.info.run_id}
        if session is not None:
            scored, summary = predict.with_spark(session, uri, model, frame, marks)
        else:
            scored, summary = predict.with_pandas(model, frame, marks)

        # One row has no spread, and text predictions no mean.
        summary = {name: value for name, value in summary.items() if math.isfinite(value)}
        mlflow.log_metrics(summary)
        where = _write(scored, asked.output, session)
        mlflow.log_text(
            predict.first(scored, SAMPLE_ROWS).to_json(orient="records"), "predictions/sample.json"
        )
        told = ", ".join(
            f"{name.replace('_', ' ')} {value:.3f}"
            for name, value in summary.items()
            if name != "rows"
        )
        print(
            f"Scored {summary['rows']:g} rows of {asked.data} with {asked.model_name} version "
            f"{asked.model_version}."
        )
        print(f"Written to {where}" + (f"; {told}." if told else "."))


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model-name", required=True)
    parser.add_argument("--model-version", required=True)
    parser.add_argument("--data", default="toy")
    parser.add_argument("--output", default="")
    return parser.parse_args()


def _load(name, version):
    if not version.isdecimal():
        raise SystemExit(
            f"model_version: {version!r} is not a version number; scoring uses exactly one version."
        )
    uri = f"models:/{name}/{version}"
    try:
        mlflow.MlflowClient().get_model_version(name, version)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            raise SystemExit(f"The registry has no version {version} of model {name}.") from None
        raise SystemExit(
            f"Version {version} of model {name} could not be read: {error.message}"
        ) from None
    try:
        return uri, mlflow.pyfunc.load_model(uri)
    except MlflowException as error:
        raise SystemExit(
            f"The files of {name} version {version} could not be loaded: {error.message}"
        ) from None


def _write(scored, output, session):
    """Write all rows to the file or table, or to the run's artifacts; returns where, in words."""
    kind = Path(output).suffix
    if session is not None and output:
        scored = predict.on_spark(session, scored)
        if kind == ".parquet":
            scored.write.mode("overwrite").parquet(output)
        elif kind == ".csv":
            scored.write.mode("overwrite").csv(output, header=True)
        else:
            # Added to, never replaced: the columns model_version and run_id tell the runs apart.
            scored.write.mode("append").saveAsTable(output)
        return output
    if output and kind not in (".csv", ".parquet"):
        raise SystemExit(
            f"output: {output!r} is neither a .csv nor a .parquet file, and a table needs Spark."
        )
    rows = predict.first(scored, None)
    if output:
        Path(output).parent.mkdir(parents=True, exist_ok=True)
        rows.to_parquet(output, index=False) if kind == ".parquet" else rows.to_csv(
            output, index=False
        )
        return output
    with tempfile.TemporaryDirectory() as folder:
        rows.to_csv(Path(folder, "predictions.csv"), index=False)
        mlflow.log_artifact(str(Path(folder, "predictions.csv")), "predictions")
    return "the run's artifacts, predictions/predictions.csv"


if __name__ == "__main__":
    main()

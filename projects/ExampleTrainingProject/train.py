"""Trains an ElasticNet on the diabetes data, measures it on held-out rows, and registers it.

The MLflow run, the tracking server and the registry come from the environment
(MLFLOW_RUN_ID, MLFLOW_TRACKING_URI, MLFLOW_REGISTRY_URI), so the same script
serves a pull request, a merged hook and a laptop.
"""

import argparse
import os
from importlib.metadata import version

os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import mlflow
import mlflow.sklearn
from dataset import read
from matplotlib.figure import Figure
from mlflow.models import infer_signature
from sklearn.linear_model import ElasticNet
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

TARGET = "target"
HELD_OUT = 0.25
SEED = 42


def main():
    """Train, measure and register one model; the run's metrics are what a pull request is judged
    by.
    """
    asked = _arguments()
    with mlflow.start_run() as run:
        mlflow.log_params({"data": asked.data, "alpha": asked.alpha, "l1_ratio": asked.l1_ratio})
        features, target = _features_and_target(read(asked.data), asked.data)
        train_x, test_x, train_y, test_y = train_test_split(
            features, target, test_size=HELD_OUT, random_state=SEED
        )
        print(
            f"Training ElasticNet(alpha={asked.alpha}, l1_ratio={asked.l1_ratio}) on "
            f"{len(train_x)} rows of"
            f" {asked.data}, {len(test_x)} more held out."
        )
        model = make_pipeline(
            StandardScaler(), ElasticNet(alpha=asked.alpha, l1_ratio=asked.l1_ratio)
        )
        model.fit(train_x, train_y)

        predicted = model.predict(test_x)
        metrics = {
            "rmse": float(root_mean_squared_error(test_y, predicted)),
            "mae": float(mean_absolute_error(test_y, predicted)),
            "r2": float(r2_score(test_y, predicted)),
        }
        mlflow.log_metrics(metrics)
        mlflow.log_figure(_plot(test_y, predicted), "plots/predicted_against_actual.png")
        print(
            "Held-out rows: "
            + ", ".join(f"{name} {value:.3f}" for name, value in metrics.items())
            + "."
        )

        registered = mlflow.sklearn.log_model(
            model,
            name="model",
            registered_model_name=asked.model_name,
            signature=infer_signature(train_x, model.predict(train_x)),
            input_example=train_x.head(3),
            # A data format, unlike pickle: loading a model that a pull request registered runs none
            # of its code.
            serialization_format="skops",
            # Named, because finding them out means loading the model in another process: 15 s for
            # every run.
            pip_requirements=[
                f"{name}=={version(name)}" for name in ("mlflow", "scikit-learn", "skops", "pandas")
            ],
        )
        mlflow.set_tags(
            {"model_name": asked.model_name, "model_version": registered.registered_model_version}
        )
        print(
            f"Registered {asked.model_name} version {registered.registered_model_version} (run "
            f"{run.info.run_id})."
        )


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model-name", required=True)
    parser.add_argument("--data", default="toy")
    parser.add_argument("--alpha", type=float, default=0.05)
    parser.add_argument("--l1-ratio", type=float, default=0.5)
    return parser.parse_args()


def _features_and_target(frame, data):
    if hasattr(frame, "toPandas"):
        frame = frame.toPandas()
    if TARGET not in frame.columns:
        raise SystemExit(
            f"data: {data!r} has no column {TARGET!r}; its columns are {', '.join(frame.columns)}."
        )
    try:
        # Whole numbers as floats: a signature of whole numbers refuses a column that has gaps or
        # fractions later.
        frame = frame.astype(float)
    except (TypeError, ValueError) as error:
        raise SystemExit(f"data: {data!r} holds more than numbers: {error}.") from None
    return frame.drop(columns=TARGET), frame[TARGET]


def _plot(actual, predicted):
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    axes.scatter(actual, predicted, s=18, alpha=0.7)
    ends = [min(actual.min(), predicted.min()), max(actual.max(), predicted.max())]
    axes.plot(ends, ends, linewidth=1, color="grey")
    axes.set(xlabel="actual", ylabel="predicted", title="Held-out rows: predicted against actual")
    return figure


if __name__ == "__main__":
    main()

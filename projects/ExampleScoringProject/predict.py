"""Does a model fit these rows, and what does it say about them: on a Spark cluster, or by
pandas.
"""

import pandas
from mlflow.exceptions import MlflowException
from pandas.api.types import is_numeric_dtype

TRIAL_ROWS = 20
SUMMARY = ("mean", "std", "min", "max")


def with_pandas(model, frame, marks):
    """Frame with a prediction and `marks` in every row, and the summary of the predictions."""
    rows = first(frame, None)
    predicted = _predictions(model, _inputs(model, rows))
    return rows.assign(prediction=predicted.to_numpy(), **marks), _summary(predicted)


def with_spark(session, uri, model, frame, marks):
    """The same on the cluster; the first rows are tried here, where a misfit is a sentence and not
    a stack of Java.
    """
    import mlflow.pyfunc
    from pyspark.sql import functions as f

    trial = _predictions(model, _inputs(model, first(frame, TRIAL_ROWS)))
    # Said here, because a signature made from an array leads spark_udf to an array for every row.
    kind = "double" if is_numeric_dtype(trial) else "string"
    scorer = mlflow.pyfunc.spark_udf(session, uri, result_type=kind, env_manager="local")
    columns = [
        f.col(spec.name).cast(spec.type.to_spark()).alias(spec.name)
        for spec in _asked(model, frame)
    ]
    scored = on_spark(session, frame).withColumn("prediction", scorer(f.struct(*columns)))
    for name, value in marks.items():
        scored = scored.withColumn(name, f.lit(value))
    # Kept, because the summary, the sample and the output each read it, and predicting is the
    # expensive part.
    scored = scored.cache()
    if kind == "string":
        return scored, {"rows": float(scored.count())}
    value = f.col("prediction")
    row = scored.agg(
        f.count("*"), f.mean(value), f.stddev(value), f.min(value), f.max(value)
    ).first()
    names = ("rows", *(f"prediction_{name}" for name in SUMMARY))
    return scored, {
        name: float("nan") if value is None else float(value)
        for name, value in zip(names, row, strict=True)
    }


def first(frame, count):
    """The first `count` rows, or all, as a pandas frame, whichever kind of frame it is."""
    if hasattr(frame, "toPandas"):
        return (frame if count is None else frame.limit(count)).toPandas()
    return frame if count is None else frame.head(count)


def on_spark(session, frame):
    """The same rows as a Spark frame."""
    return session.createDataFrame(frame) if isinstance(frame, pandas.DataFrame) else frame


def _inputs(model, rows):
    """The model's columns of these rows, in its types; SystemExit with a sentence when they do not
    fit.
    """
    schema = model.metadata.get_input_schema()
    if schema is None or not schema.has_input_names() or schema.is_tensor_spec():
        raise SystemExit(
            "The model has no signature with named columns, so nobody can tell whether it fits the "
            "data."
        )
    if rows.empty:
        raise SystemExit("The data holds no rows, so there is nothing to score.")
    missing = [spec.name for spec in schema if spec.required and spec.name not in rows.columns]
    if missing:
        raise SystemExit(
            f"The model does not fit the data: it needs the columns {', '.join(missing)}, which "
            "the data does not have"
            f" (its columns are {', '.join(map(str, rows.columns))})."
        )
    asked = _asked(model, rows)
    inputs = rows[[spec.name for spec in asked]].copy()
    for spec in asked:
        kind = spec.type.name
        if kind not in ("integer", "long", "float", "double"):
            continue
        if not is_numeric_dtype(inputs[spec.name]):
            raise SystemExit(
                f"The model does not fit the data: column {spec.name} holds "
                f"{inputs[spec.name].dtype} values"
                f" where the model takes numbers ({kind})."
            )
        if kind in ("float", "double"):
            # A file without a fraction in a column reads as whole numbers, which MLflow would
            # refuse to widen.
            inputs[spec.name] = inputs[spec.name].astype(spec.type.to_pandas())
    return inputs


def _asked(model, frame):
    """The columns of the signature that the data has; an optional one may be absent."""
    return [spec for spec in model.metadata.get_input_schema() if spec.name in frame.columns]


def _predictions(model, inputs):
    try:
        predicted = pandas.DataFrame(model.predict(inputs))
    except MlflowException as error:
        reason = error.message.rpartition("Error: ")[2].strip().splitlines()[0]
        raise SystemExit(f"The model does not fit the data: {reason}") from None
    except Exception as error:  # a model is somebody's own code, and raises what it likes
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise SystemExit(f"The model cannot predict these rows: {reason}") from None
    if predicted.shape[1] != 1:
        raise SystemExit(
            f"The model gives {predicted.shape[1]} values for a row; this project writes one."
        )
    return predicted.iloc[:, 0]


def _summary(predicted):
    summary = {"rows": float(len(predicted))}
    if is_numeric_dtype(predicted):
        summary |= {f"prediction_{name}": float(getattr(predicted, name)()) for name in SUMMARY}
    return summary

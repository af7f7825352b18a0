"""Reads the rows a project works on: `toy`, `full`, a file, or a table."""

import os
import re
import sys
from pathlib import Path

TOY_ROWS = 120


def read(data):
    """The rows that `data` names: a pandas frame, or a Spark one where only Spark can read them.

    `toy` is always the same 120 rows of the diabetes data that scikit-learn
    carries, `full` all 442 of them; else the path of a .csv or .parquet file,
    or the name of a table. What cannot be read ends the run with a sentence.
    """
    if data in ("toy", "full"):
        # https://scikit-learn.org/stable/modules/generated/sklearn.datasets.load_diabetes.html
        from sklearn.datasets import load_diabetes

        frame = load_diabetes(as_frame=True, scaled=False).frame
        return frame if data == "full" else frame.sample(TOY_ROWS, random_state=7).sort_index()
    if Path(data).exists():
        import pandas

        try:
            return pandas.read_csv(data) if data.endswith(".csv") else pandas.read_parquet(data)
        except (OSError, ValueError) as error:
            raise SystemExit(
                f"data: {data!r} could not be read as a .csv or .parquet file: {error}"
            ) from None
    session = spark()
    if session is None:
        raise SystemExit(
            f"data: {data!r} is neither toy, full nor a file, and no Spark is here to read a table."
        )
    try:
        if data.endswith(".csv"):
            return session.read.csv(data, header=True, inferSchema=True)
        if "/" in data:
            return session.read.parquet(data)
        # Backticks around each part, so that the name is a name whatever stands in it.
        return session.table(".".join(f"`{part}`" for part in re.sub("`", "", data).split(".")))
    except Exception as error:  # Spark's errors share no class between its versions
        raise SystemExit(
            f"data: {data!r} could not be read by Spark: {str(error).splitlines()[0]}"
        ) from None


def spark():
    """The Spark session of the cluster this runs on; None where there is none."""
    if "DATABRICKS_RUNTIME_VERSION" not in os.environ:
        return None
    # Where the cluster has not said it: its workers need the libraries that this interpreter has.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    try:
        from pyspark.sql import SparkSession

        return SparkSession.builder.getOrCreate()
    except Exception as error:  # without a session the work is still done, by pandas
        print(f"No Spark session here ({str(error).splitlines()[0]}); going on with pandas.")
        return None

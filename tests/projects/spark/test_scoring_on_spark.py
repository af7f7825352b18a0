"""Scoring on Spark: the same version gives the same on the same rows as it does by pandas, wherever
it is written.
"""

import importlib
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas
import pytest
from pandas.testing import assert_frame_equal

from tests.projects.conftest import Workspace

pytestmark = [
    # Spark 4.3 says so of every pandas from 3 on, which is what the lock has; that it works here is
    # what is tested.
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
    # And pandas 3 of what Spark 4.3 asks of it.
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated:DeprecationWarning"),
    # Between Spark's driver and its Java a socket is open for as long as the session is.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

MARKS = {"model_name": "diabetes", "model_version": "1", "run_id": "run"}
COLUMNS = ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6")
SAME = {"rtol": 1e-12, "atol": 0.0}
"""What adding the same numbers in another order may change."""


@pytest.fixture(scope="module")
def predict(project: None) -> ModuleType:
    """The scoring project's own module."""
    return importlib.import_module("predict")


@pytest.fixture(scope="module")
def rows() -> pandas.DataFrame:
    """All rows of the example data, each with a name, which no model asks for."""
    from sklearn.datasets import load_diabetes

    frame = load_diabetes(as_frame=True, scaled=False).frame.drop(columns="target")
    return frame.assign(patient=[f"patient {number:03d}" for number in range(len(frame))])


def loaded(uri: str) -> Any:
    with warnings.catch_warnings():
        # MLflow warns about its own type hints while it is imported.
        warnings.simplefilter("ignore")
        import mlflow.pyfunc
    return mlflow.pyfunc.load_model(uri)


@pytest.fixture(scope="module")
def uri(workspace: Workspace, trained: dict[str, Any]) -> str:
    """Where the files of the trained version are."""
    return str(
        workspace.client().get_model_version_download_uri("diabetes", trained["model_version"])
    )


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model that answers with words, and needs no more than an age and whether there is a
    note.
    """
    from mlflow.models import ModelSignature
    from mlflow.pyfunc import PythonModel, save_model
    from mlflow.types import ColSpec, Schema

    class Words(PythonModel):
        def predict(self, context: Any, model_input: pandas.DataFrame, params: Any = None) -> Any:
            noted = (
                model_input["note"].notna() if "note" in model_input else [False] * len(model_input)
            )
            return pandas.Series(
                [
                    f"{'old' if age > 50 else 'young'} {there}"
                    for age, there in zip(model_input["age"], noted, strict=True)
                ]
            )

    asked = Schema([ColSpec("double", "age"), ColSpec("string", "note", required=False)])
    place = tmp_path_factory.mktemp("texts") / "model"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        save_model(
            str(place),
            python_model=Words(),
            signature=ModelSignature(asked, Schema([ColSpec("string")])),
        )
    return str(place)


def both(
    predict: ModuleType, session: Any, uri: str, frame: pandas.DataFrame, spark_frame: Any = None
) -> tuple[pandas.DataFrame, dict[str, float], pandas.DataFrame, dict[str, float]]:
    """Rows and summary by pandas, then by Spark; the rows of both in the order of the data."""
    model = loaded(uri)
    by_pandas, summary = predict.with_pandas(model, frame, MARKS)
    scored, summary_of_spark = predict.with_spark(
        session, uri, model, frame if spark_frame is None else spark_frame, MARKS
    )
    by_spark = scored.toPandas().sort_values("patient")
    return (
        by_pandas.reset_index(drop=True),
        summary,
        by_spark.reset_index(drop=True),
        summary_of_spark,
    )


def refusal(score: Callable[[], Any]) -> str:
    with pytest.raises(SystemExit) as refused:
        score()
    return str(refused.value)


@pytest.mark.parametrize("kind", ["a pandas frame", "a Spark frame in four parts"])
def test_every_row_is_predicted_as_by_pandas_and_so_is_the_summary(
    predict: ModuleType, session: Any, uri: str, rows: pandas.DataFrame, kind: str, told: list[str]
) -> None:
    frame = None if kind == "a pandas frame" else session.createDataFrame(rows).repartition(4)

    by_pandas, summary, by_spark, summary_of_spark = both(predict, session, uri, rows, frame)

    assert len(by_spark) == 442
    assert_frame_equal(by_spark, by_pandas, check_exact=False, check_dtype=False, **SAME)
    assert summary_of_spark == pytest.approx(summary, rel=1e-12)
    apart = (by_spark["prediction"] - by_pandas["prediction"]).abs().max()
    kept = ", ".join(f"{name} {value:.10g}" for name, value in summary_of_spark.items())
    told.append(
        f"{kind}: {len(by_spark)} rows, no prediction further than {apart:.2g} from the one by "
        f"pandas; {kept}"
    )


def test_text_predictions_and_missing_values_are_the_same(
    predict: ModuleType, session: Any, texts: str, rows: pandas.DataFrame
) -> None:
    frame = rows.head(50).assign(note=[None if number % 3 else "seen" for number in range(50)])
    frame.loc[frame.index[30:], "age"] = float("nan")

    by_pandas, summary, by_spark, summary_of_spark = both(predict, session, texts, frame)

    assert list(by_spark["prediction"]) == list(by_pandas["prediction"])
    assert set(by_spark["prediction"]) == {"old True", "old False", "young True", "young False"}
    assert summary == summary_of_spark == {"rows": 50.0}


def test_columns_that_the_model_can_do_without_may_be_missing_on_both(
    predict: ModuleType, session: Any, texts: str, rows: pandas.DataFrame
) -> None:
    by_pandas, _, by_spark, _ = both(predict, session, texts, rows.head(30))

    assert list(by_spark["prediction"]) == list(by_pandas["prediction"])


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (
            lambda frame: frame.drop(columns=["bmi", "s4"]),
            "it needs the columns bmi, s4, which the data does not have",
        ),
        (lambda frame: frame.head(0), "The data holds no rows"),
        (lambda frame: frame.assign(bmi="thirty"), "column bmi holds"),
        (
            lambda frame: frame.assign(bmi=float("nan")),
            "The model cannot predict these rows: Input X contains NaN.",
        ),
    ],
)
def test_rows_that_do_not_fit_are_refused_with_the_same_sentence(
    predict: ModuleType,
    session: Any,
    uri: str,
    rows: pandas.DataFrame,
    changed: Callable[..., Any],
    sentence: str,
) -> None:
    frame, model = changed(rows), loaded(uri)
    schema = ", ".join(
        f"`{name}` {'string' if frame[name].dtype.kind not in 'fi' else 'double'}" for name in frame
    )

    by_pandas = refusal(lambda: predict.with_pandas(model, frame, MARKS))
    by_spark = refusal(lambda: predict.with_spark(session, uri, model, frame, MARKS))
    from_spark = refusal(
        lambda: predict.with_spark(
            session, uri, model, session.createDataFrame(frame, schema), MARKS
        )
    )

    assert sentence in by_pandas
    assert by_spark == by_pandas
    assert from_spark == by_pandas


# -- the whole project


def scored(
    workspace: Workspace, version: str, cluster: dict[str, str], **more: str
) -> tuple[str, dict[str, Any]]:
    """What the project printed, and its run: metrics and the sample of its predictions."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in cluster.items():
            patch.setenv(name, value)
        ended = workspace.project(
            "ExampleScoringProject", model_name="diabetes", model_version=version, **more
        )
    assert ended.returncode == 0, ended.stderr
    client = workspace.client()
    (experiment,) = [one for one in client.search_experiments() if one.name == "Default"]
    run = client.search_runs(
        [experiment.experiment_id], max_results=1, order_by=["attributes.start_time DESC"]
    )[0]
    sample = Path(client.download_artifacts(run.info.run_id, "predictions/sample.json")).read_text()
    return ended.stdout, {
        "run": run.info.run_id,
        "metrics": run.data.metrics,
        "sample": json.loads(sample),
    }


def written(path: Path) -> pandas.DataFrame:
    """What is in a file, or in a folder of Spark's parts."""
    files = sorted(path.glob("part-*")) if path.is_dir() else [path]
    read = pandas.read_parquet if path.suffix != ".csv" else pandas.read_csv
    frame = pandas.concat([read(file) for file in files])
    assert frame["run_id"].nunique() == 1
    frame = frame.drop(columns="run_id").astype({"model_version": str})
    return frame.sort_values(list(COLUMNS)).reset_index(drop=True)


@pytest.mark.parametrize("output", ["scores.parquet", "scores.csv", "", "scores"])
def test_the_project_writes_on_a_cluster_what_it_writes_elsewhere(
    workspace: Workspace,
    trained: dict[str, Any],
    here: dict[str, str],
    tmp_path: Path,
    output: str,
    told: list[str],
) -> None:
    version, table = trained["model_version"], output == "scores"
    (tmp_path / "pandas").mkdir()
    (tmp_path / "spark").mkdir()
    places = {
        name: str(tmp_path / name / output) if output and not table else output
        for name in ("pandas", "spark")
    }

    plain, by_pandas = scored(workspace, version, {}, output="" if table else places["pandas"])
    said, by_spark = scored(workspace, version, here, output=places["spark"])

    def file(name: str, found: dict[str, Any]) -> Path:
        if places[name] and not table:
            return Path(places[name])
        if table and name == "spark":
            return Path(here["SPARK_CONF_DIR"], "warehouse", output)
        return Path(
            workspace.client().download_artifacts(found["run"], "predictions/predictions.csv")
        )

    assert_frame_equal(
        written(file("spark", by_spark)),
        written(file("pandas", by_pandas)),
        check_dtype=False,
        check_exact=False,
        **SAME,
    )
    assert by_spark["metrics"] == pytest.approx(by_pandas["metrics"], rel=1e-12)
    sample, sample_of_spark = (
        [{**row, "run_id": ""} for row in one["sample"]] for one in (by_pandas, by_spark)
    )
    # Numbers in JSON have ten digits after the point.
    assert_frame_equal(
        pandas.DataFrame(sample_of_spark), pandas.DataFrame(sample), check_exact=False, rtol=1e-9
    )
    assert said.splitlines()[0] == plain.splitlines()[0]
    told.append(f"output {output or 'of the run'!r}: {said.splitlines()[-1]}")

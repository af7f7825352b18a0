"""The example scoring project, run for real."""

import importlib
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas
import pytest

from tests.projects.conftest import Workspace, answer


@pytest.fixture(scope="module")
def scored(workspace: Workspace, trained: dict[str, Any]) -> dict[str, Any]:
    """What the scoring hook answered for the version that was trained."""
    version = trained["model_version"]
    return answer(
        workspace.hook(
            "mlflow_scoring_hook", model_name="diabetes", model_version=version, data="toy"
        )
    )


def test_every_prediction_says_which_version_and_run_made_it(
    workspace: Workspace, trained: dict[str, Any], scored: dict[str, Any]
) -> None:
    file = workspace.client().download_artifacts(scored["run_id"], "predictions/predictions.csv")
    rows = pandas.read_csv(file, dtype={"model_version": str})

    assert len(rows) == 120
    assert set(rows["model_name"]) == {"diabetes"}
    assert set(rows["model_version"]) == {trained["model_version"]}
    assert set(rows["run_id"]) == {scored["run_id"]}
    assert {"age", "bmi", "prediction"} <= set(rows.columns)


def test_a_scoring_logs_how_many_rows_there_were_and_what_came_out(
    workspace: Workspace, trained: dict[str, Any], scored: dict[str, Any]
) -> None:
    run = workspace.client().get_run(scored["run_id"])

    assert run.data.params == {
        "model_name": "diabetes",
        "model_version": trained["model_version"],
        "data": "toy",
    }
    metrics = run.data.metrics
    assert metrics["rows"] == 120
    assert metrics["prediction_min"] < metrics["prediction_mean"] < metrics["prediction_max"]
    assert metrics["prediction_std"] > 0


def test_data_that_lacks_columns_is_refused_and_they_are_named(
    workspace: Workspace, trained: dict[str, Any], tmp_path: Path
) -> None:
    table = tmp_path / "rows.csv"
    table.write_text("age,sex,bmi,bp\n50,1,30,90\n", encoding="utf-8")

    ended = workspace.project(
        "ExampleScoringProject",
        model_name="diabetes",
        model_version=trained["model_version"],
        data=str(table),
    )

    assert ended.returncode == 1
    assert (
        "The model does not fit the data: it needs the columns s1, s2, s3, s4, s5, s6"
        in ended.stderr
    )
    assert "Traceback" not in ended.stderr


def test_a_version_that_is_not_there_is_refused(
    workspace: Workspace, trained: dict[str, Any]
) -> None:
    ended = workspace.project("ExampleScoringProject", model_name="diabetes", model_version="99")

    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == "The registry has no version 99 of model diabetes."
    assert "Traceback" not in ended.stderr


def test_without_a_version_nothing_is_scored(workspace: Workspace) -> None:
    ended = workspace.project("ExampleScoringProject", model_name="diabetes", model_version="")

    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == (
        "model_version: '' is not a version number; scoring uses exactly one version."
    )


@pytest.fixture
def predict(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The scoring project's own module."""
    monkeypatch.syspath_prepend("projects/ExampleScoringProject")
    return importlib.import_module("predict")


@pytest.fixture(scope="module")
def model(workspace: Workspace, trained: dict[str, Any]) -> Any:
    """The trained model as scoring loads it."""
    with warnings.catch_warnings():
        # MLflow warns about its own type hints while it is imported.
        warnings.simplefilter("ignore")
        import mlflow.pyfunc

    uri = workspace.client().get_model_version_download_uri("diabetes", trained["model_version"])
    return mlflow.pyfunc.load_model(uri)


FITTING = {
    "age": 50,
    "sex": 1,
    "bmi": 30,
    "bp": 90,
    "s1": 180,
    "s2": 110,
    "s3": 50,
    "s4": 4,
    "s5": 5,
    "s6": 90,
}


def test_whole_numbers_fit_a_model_that_takes_fractions_and_other_columns_are_kept(
    predict: ModuleType, model: Any
) -> None:
    rows = pandas.DataFrame([{"patient": "A", **FITTING}])

    scored, summary = predict.with_pandas(model, rows, {"model_version": "1"})

    assert list(scored["patient"]) == ["A"]
    assert list(scored["model_version"]) == ["1"]
    assert summary["prediction_mean"] == scored["prediction"][0]


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (
            pandas.DataFrame([{**FITTING, "bmi": "thirty"}]),
            "column bmi holds str values where the model takes numbers",
        ),
        (pandas.DataFrame([{**FITTING}]).head(0), "The data holds no rows"),
        (
            pandas.DataFrame([{"age": 50}]),
            "it needs the columns sex, bmi, bp, s1, s2, s3, s4, s5, s6",
        ),
    ],
)
def test_rows_that_do_not_fit_are_refused(
    predict: ModuleType, model: Any, rows: pandas.DataFrame, sentence: str
) -> None:
    with pytest.raises(SystemExit, match=sentence):
        predict.with_pandas(model, rows, {})

"""The example training project, run for real."""

from pathlib import Path
from typing import Any

from tests.projects.conftest import Workspace


def test_a_training_logs_how_good_it_is_and_with_what_it_was_made(
    workspace: Workspace, trained: dict[str, Any]
) -> None:
    run = workspace.client().get_run(trained["run_id"])

    assert run.info.status == "FINISHED"
    assert run.data.params == {"data": "toy", "alpha": "0.05", "l1_ratio": "0.5"}
    assert set(run.data.metrics) == {"rmse", "mae", "r2"}
    assert 40 < run.data.metrics["rmse"] < 70
    assert run.data.metrics["r2"] > 0.3


def test_a_training_draws_predicted_against_actual(
    workspace: Workspace, trained: dict[str, Any]
) -> None:
    plots = workspace.client().list_artifacts(trained["run_id"], "plots")

    assert [plot.path for plot in plots] == ["plots/predicted_against_actual.png"]
    picture = workspace.client().download_artifacts(trained["run_id"], plots[0].path)
    assert Path(picture).read_bytes().startswith(b"\x89PNG")


def test_the_registered_version_is_this_runs_and_says_what_it_takes(
    workspace: Workspace, trained: dict[str, Any]
) -> None:
    from mlflow.models import Model

    version = workspace.client().get_model_version("diabetes", trained["model_version"])
    model = Model.load(
        workspace.client().get_model_version_download_uri("diabetes", version.version)
    )

    assert version.run_id == trained["run_id"]
    assert model.signature.inputs.input_names() == [
        "age",
        "sex",
        "bmi",
        "bp",
        "s1",
        "s2",
        "s3",
        "s4",
        "s5",
        "s6",
    ]
    assert model.saved_input_example_info["artifact_path"] == "input_example.json"
    assert model.flavors["sklearn"]["serialization_format"] == "skops", (
        "a pull request's model is data, not code"
    )


def test_a_table_without_a_target_is_refused_with_a_sentence(
    workspace: Workspace, tmp_path: Path
) -> None:
    table = tmp_path / "rows.csv"
    table.write_text("age,bmi\n50,30\n", encoding="utf-8")

    ended = workspace.project("ExampleTrainingProject", data=str(table))

    assert ended.returncode == 1
    assert (
        ended.stderr.splitlines()[-1]
        == f"data: '{table}' has no column 'target'; its columns are age, bmi."
    )
    assert "Traceback" not in ended.stderr


def test_both_projects_read_data_the_same_way() -> None:
    training, scoring = (
        Path(f"projects/Example{kind}Project/dataset.py").read_text(encoding="utf-8")
        for kind in ("Training", "Scoring")
    )

    assert training == scoring

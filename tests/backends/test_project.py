"""Reading a project that somebody's pull request wrote."""

import json
import os
import shlex
import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.projects._project_spec import EntryPoint

from bot.backends import project
from bot.errors import ProjectError

MLPROJECT = """
name: wine
conda_env: env.yaml
entry_points:
  main:
    parameters:
      alpha: {type: float, default: 0.5}
      data: string
    command: "python train.py --alpha {alpha} --data {data}"
"""
VALUE = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)


def _project(
    folder: Path, mlproject: str = MLPROJECT, env: str = "dependencies: [python=3.12]\n"
) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "MLproject").write_text(mlproject, encoding="utf-8")
    (folder / "env.yaml").write_text(env, encoding="utf-8")
    return folder


@pytest.fixture
def wine(tmp_path: Path) -> Path:
    return _project(tmp_path / "wine")


def test_the_examples_can_be_read() -> None:
    training = project.read(Path("projects/ExampleTrainingProject"))
    scoring = project.read(Path("projects/ExampleScoringProject"))

    assert training.python_version == "3.12"
    assert {"pypi": {"package": "scikit-learn==1.9.1"}} in training.libraries
    assert project.command(training, "main", {}).startswith(
        "python train.py --model-name diabetes_model --data toy"
    )
    assert project.command(scoring, "main", {"model_version": 3}).endswith(
        "--model-version 3 --data toy --output ''"
    )
    assert project.cluster(training.folder)["num_workers"] == 0


def test_the_examples_pin_what_the_repository_runs_with() -> None:
    locked = {
        line.split(" ")[0].strip() for line in Path("requirements.txt").read_text().splitlines()
    }

    for name in ("ExampleTrainingProject", "ExampleScoringProject"):
        wanted = {
            entry["pypi"]["package"] for entry in project.read(Path("projects") / name).libraries
        }
        assert {line for line in wanted if "==" in line} <= locked


@given(data=VALUE, name=st.text("abcdefgh-_ ;$'", min_size=1, max_size=8), extra=VALUE)
def test_no_value_becomes_more_than_one_word_of_the_command(
    data: str, name: str, extra: str
) -> None:
    point = project.EntryPoint("main", "train {data}", (project.Parameter("data", "string", None),))
    read = project.Project("wine", Path("wine"), {"main": point}, None, None, ())

    words = shlex.split(project.command(read, "main", {"data": data, f"x{name}": extra}))

    assert words == ["train", data, f"--x{name}", extra]


@given(alpha=st.floats(allow_nan=False), data=VALUE)
def test_the_command_is_what_mlflow_would_run(alpha: float, data: str) -> None:
    parameters = {"alpha": {"type": "float", "default": 0.5}, "data": "string"}
    template = "python train.py '{{literal}}' --alpha {alpha} --data {data}"
    declared = (
        project.Parameter("alpha", "float", "0.5"),
        project.Parameter("data", "string", None),
    )
    read = project.Project(
        "wine",
        Path("wine"),
        {"main": project.EntryPoint("main", template, declared)},
        None,
        None,
        (),
    )

    for values in ({"data": data}, {"alpha": alpha, "data": data, "extra": data}):
        expected = EntryPoint("main", parameters, template).compute_command(values, None)
        assert project.command(read, "main", values) == expected


def test_a_value_reaches_the_program_as_it_was_given(wine: Path) -> None:
    value = "a b; echo pwned $(id) 'quoted' \"twice\"\nnext"
    (wine / "train.py").write_text("import sys; sys.stdout.write(sys.argv[-1])", encoding="utf-8")

    command = project.command(project.read(wine), "main", {"data": value}).replace(
        "python", "python3", 1
    )

    ended = subprocess.run(
        ["bash", "-c", command], cwd=wine, capture_output=True, text=True, check=True
    )
    assert ended.stdout == value


def test_a_script_of_the_folder_is_an_entry_point_as_in_mlflow(wine: Path) -> None:
    (wine / "plot it.py").write_text("", encoding="utf-8")

    command = project.command(project.read(wine), "plot it.py", {"size": 3})

    assert command == "python 'plot it.py' --size 3"


@pytest.mark.parametrize(
    ("entry_point", "parameters", "sentence"),
    [
        ("main", {}, "entry point `main` needs a value for `data`"),
        ("score", {"data": 1}, "Project wine has no entry point `score`; it has `main`."),
        ("../outside.py", {}, "has no entry point `../outside.py`"),
        ("main", {"data": "a\0b"}, "holds a NUL character"),
    ],
)
def test_a_run_that_cannot_be_started_says_why(
    wine: Path, entry_point: str, parameters: dict[str, object], sentence: str
) -> None:
    (wine.parent / "outside.py").write_text("", encoding="utf-8")

    with pytest.raises(ProjectError) as refused:
        project.command(project.read(wine), entry_point, parameters)

    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    "placeholder", ["{data:>9999999999}", "{data!r}", "{data.__class__}", "{other}", "{", "{}"]
)
def test_a_placeholder_is_a_parameters_name_and_nothing_else(
    tmp_path: Path, placeholder: str
) -> None:
    folder = _project(tmp_path / "wine", MLPROJECT.replace("{data}", placeholder))

    with pytest.raises(ProjectError, match="Project wine: the command of entry point `main`"):
        project.command(project.read(folder), "main", {"data": "x"})


@pytest.mark.parametrize(
    ("mlproject", "sentence"),
    [
        ("name: [", "wine/MLproject is not YAML (line 1, column"),
        ("- a list", "wine/MLproject must be a mapping; found a list."),
        ("entry_points: [main]", "`entry_points` must be a mapping of names; found a list."),
        ("entry_points: {main: {}}", "entry point `main` needs a `command`, a text."),
        (
            "entry_points: {main: {command: x, parameters: [a]}}",
            "`parameters` must be a mapping; found a list.",
        ),
        (
            "entry_points: {main: {command: x, parameters: {a: 1}}}",
            "parameter `a` must be a type or a mapping",
        ),
        ("docker_env: {image: x}", "`docker_env` projects cannot be run here"),
        (
            "databricks_spark_job: {python_file: x}",
            "`databricks_spark_job` projects cannot be run here",
        ),
        ("{conda_env: env.yaml, python_env: env.yaml}", "names both `python_env` and `conda_env`"),
        ("conda_env: missing.yaml", "wine/missing.yaml does not exist"),
        (
            "conda_env: ../env.yaml",
            "wine/../env.yaml must be a plain file inside the project's folder",
        ),
        ("conda_env: /etc/passwd", "must be a plain file inside the project's folder"),
        ("conda_env: linked.yaml", "must be a plain file inside the project's folder"),
        ("a: !!python/object/apply:os.system [id]", "wine/MLproject is not YAML"),
        ("x: " + "[" * 3000, "wine/MLproject has lists and mappings inside each other more than"),
        (
            "a0: &a0 [1, 1]\n"
            + "\n".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40)),
            "wine/MLproject stands for more than 20,000 values",
        ),
    ],
)
def test_a_mistake_in_a_project_is_a_sentence_for_its_author(
    tmp_path: Path, mlproject: str, sentence: str
) -> None:
    folder = _project(tmp_path / "wine", mlproject)
    (folder / "linked.yaml").symlink_to("/etc/passwd")

    with pytest.raises(ProjectError) as refused:
        project.read(folder)

    assert sentence in str(refused.value)


def test_a_folder_without_mlproject_is_no_project(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="is not an MLflow project: it has no MLproject file"):
        project.read(tmp_path)


def test_libraries_come_from_conda_and_pip_alike(tmp_path: Path) -> None:
    env = """
channels: [defaults]
dependencies:
  - python=3.11
  - pip>=24
  - numpy=2.1.3=py312_0
  - conda-forge::pandas=2.2
  - scipy
  - joblib>=1.3,<2
  - pip: ["mlflow==3.17.2", "xgboost[dask]>=2 ; python_version > '3.8'", "# a comment", "-r more.txt"]
"""  # noqa: E501 a table, or a text as it is sent
    folder = _project(tmp_path / "wine", env=env)
    (folder / "more.txt").write_text("lightgbm==4.6.0  # fast\n\n", encoding="utf-8")

    read = project.read(folder)

    assert read.python_version == "3.11"
    assert [library["pypi"]["package"] for library in read.libraries] == [
        "numpy==2.1.3",
        "pandas==2.2.*",
        "scipy",
        "joblib<2,>=1.3",
        "mlflow==3.17.2",
        'xgboost[dask]>=2; python_version > "3.8"',
        "lightgbm==4.6.0",
    ]


def test_a_python_env_is_read_too(tmp_path: Path) -> None:
    folder = _project(
        tmp_path / "wine",
        "entry_points: {main: {command: x}}",
    )
    (folder / "python_env.yaml").write_text(
        "python: '3.12'\ndependencies: [mlflow==3.17.2]\n", encoding="utf-8"
    )

    read = project.read(folder)

    assert (read.env_file, read.python_version) == ("python_env.yaml", "3.12")
    assert read.libraries == ({"pypi": {"package": "mlflow==3.17.2"}},)


@pytest.mark.parametrize(
    "line",
    [
        "--extra-index-url https://evil.example/simple",
        "--index-url=https://evil.example",
        "git+https://evil.example/x",
        "-e .",
        "x @ https://evil.example/x.whl",
        "-r ../../secrets.txt",
        "a; rm -rf /",
    ],
)
def test_a_project_does_not_choose_where_code_is_installed_from(tmp_path: Path, line: str) -> None:
    folder = _project(tmp_path / "wine", env=json.dumps({"dependencies": [{"pip": [line]}]}))

    with pytest.raises(ProjectError, match="wine/"):
        project.read(folder)


GOOD = {
    "spark_version": "17.3.x-cpu-ml-scala2.13",
    "node_type_id": "Standard_D4ds_v5",
    "num_workers": 0,
}


def _cluster(folder: Path, content: object) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "cluster.json").write_text(
        content if isinstance(content, str) else json.dumps(content), encoding="utf-8"
    )


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "wine/cluster.json is not JSON"),
        ("[" * 100_000, "wine/cluster.json has lists and objects too deep inside each other"),
        ("[]", "must describe a cluster as a JSON object; found a list."),
        (
            {**GOOD, "init_scripts": []},
            "`init_scripts` may not be set by a project; allowed are `autoscale`",
        ),
        ({**GOOD, "docker_image": {"url": "x"}}, "`docker_image` may not be set by a project"),
        ({**GOOD, "single_user_name": "boss"}, "`single_user_name` may not be set by a project"),
        (
            {**GOOD, "aws_attributes": {"instance_profile_arn": "x"}},
            "`aws_attributes` may not be set by a project",
        ),
        ({**GOOD, "ssh_public_keys": []}, "`ssh_public_keys` may not be set by a project"),
        ({**GOOD, "cluster_log_conf": {}}, "`cluster_log_conf` may not be set by a project"),
        (
            {**GOOD, "autotermination_minutes": 10},
            "`autotermination_minutes` may not be set by a project",
        ),
        ({**GOOD, "existing_cluster_id": "1"}, "`existing_cluster_id` may not be set by a project"),
        ({**GOOD, "spark_conf": {"a": "{{secrets/x/y}}"}}, "`spark_conf.a` refers to a secret"),
        ({**GOOD, "spark_conf": {"a": "x{{ Secrets/x/y }}"}}, "`spark_conf.a` refers to a secret"),
        (
            {**GOOD, "spark_env_vars": {"A": "{{secrets/x/y}}"}},
            "`spark_env_vars.A` refers to a secret",
        ),
        ({**GOOD, "custom_tags": {"{{secrets/x/y}}": "1"}}, "refers to a secret"),
        ({**GOOD, "policy_id": "{{secrets/x/y}}"}, "`policy_id` refers to a secret"),
        (
            {**GOOD, "spark_conf": {"a": {"b": 1}}},
            "`spark_conf.a` must be a text or a number; found a mapping.",
        ),
        (
            {**GOOD, "azure_attributes": {"log_analytics_info": {}}},
            "`azure_attributes.log_analytics_info` may not be",
        ),
        ({**GOOD, "num_workers": "2"}, "`num_workers` must be a whole number; found a text."),
        (
            {**GOOD, "num_workers": True},
            "`num_workers` must be a whole number; found true or false.",
        ),
        ({**GOOD, "num_workers": -1}, "must be a whole number from 0; found -1."),
        ({**GOOD, "num_workers": 9}, "asks for 9 workers; this deployment allows a project 8."),
        ({**GOOD, "autoscale": {"min_workers": 1, "max_workers": 99}}, "asks for 99 workers"),
        (
            {**GOOD, "autoscale": {"min_workers": 99, "max_workers": 1}, "num_workers": 99},
            "asks for 99 workers",
        ),
        (
            {**GOOD, "autoscale": {"max_workers": "99"}},
            "must be a whole number from 0; found '99'.",
        ),
        ({"node_type_id": "x"}, "lacks `spark_version`"),
        ({"spark_version": "x"}, "must name the machines"),
    ],
)
def test_a_cluster_may_ask_only_for_what_is_allowed(
    tmp_path: Path, content: object, sentence: str
) -> None:
    _cluster(tmp_path / "wine", content)

    with pytest.raises(ProjectError) as refused:
        project.cluster(tmp_path / "wine", most_workers=8)

    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    "content",
    [
        GOOD,
        {"new_cluster": GOOD},
        {"spark_version": "x", "policy_id": "1", "autoscale": {"min_workers": 1, "max_workers": 8}},
        {
            **GOOD,
            "azure_attributes": {
                "availability": "SPOT_AZURE",
                "first_on_demand": 1,
                "spot_bid_max_price": -1,
            },
        },
    ],
)
def test_a_cluster_within_bounds_is_passed_on_as_it_is(
    tmp_path: Path, content: dict[str, object]
) -> None:
    _cluster(tmp_path / "wine", content)

    assert project.cluster(tmp_path / "wine", most_workers=8) == content.get("new_cluster", content)


def test_the_same_content_packs_to_the_same_archive_wherever_and_whenever(tmp_path: Path) -> None:
    first, second = _project(tmp_path / "first"), _project(tmp_path / "second")
    os.utime(second / "MLproject", (0, 0))
    for left_out in (".git", "mlruns", "__pycache__"):
        (second / left_out).mkdir()
        (second / left_out / "file").write_text("x", encoding="utf-8")

    packed = project.archive(first)

    assert project.digest(packed) == project.digest(project.archive(second))
    with tarfile.open(fileobj=BytesIO(packed)) as tar:
        assert tar.getnames() == ["MLproject", "env.yaml"]
        assert {(member.uid, member.gid, member.mtime) for member in tar} == {(0, 0, 0)}


def test_another_content_packs_to_another_archive(wine: Path) -> None:
    before = project.digest(project.archive(wine))

    (wine / "env.yaml").write_text("dependencies: []\n", encoding="utf-8")

    assert project.digest(project.archive(wine)) != before


@pytest.mark.parametrize("target", ["/etc/passwd", "MLproject", "nowhere"])
def test_links_are_not_followed_but_refused(wine: Path, target: str) -> None:
    (wine / "linked").symlink_to(target)

    with pytest.raises(ProjectError, match="Project wine: 'linked' is a symbolic link"):
        project.archive(wine)


def test_a_project_with_its_data_in_it_is_refused_and_the_data_is_named(wine: Path) -> None:
    (wine / "rows.bin").write_bytes(os.urandom(11 * 1024 * 1024))

    with pytest.raises(ProjectError) as refused:
        project.archive(wine)

    assert "11.0 MB packed, and 10.0 MB is the most" in str(refused.value)
    assert "rows.bin (11.0 MB)" in str(refused.value)

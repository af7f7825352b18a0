"""The house's laws that a program can check: who may import whom, and what nobody may call."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]

RUNS_NOTEBOOKS = Path("sandbox/databricks/notebook.py")
"""The stand-in for a cluster, where running a notebook's cells is the purpose."""

NEVER_CALLED = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "os.system",
    "os.popen",
    "yaml.load",
    "yaml.unsafe_load",
}
NEVER_IMPORTED = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}


def test_imports_go_one_way_only() -> None:
    checked = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-logo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_no_text_is_ever_run_as_code_nor_by_a_shell() -> None:
    found = [sentence for file in sources() for sentence in faults(file)]

    assert found == []


def test_the_search_for_such_calls_finds_them(tmp_path: Path) -> None:
    written = tmp_path / "bad.py"
    written.write_text(
        "import pickle, os.path\nfrom yaml import load\nimport subprocess\n"
        "eval('1')\nos.system('x')\nsubprocess.run('x', "
        "shell=True)\nyaml.load('x')\nre.compile('x')\nmodel.eval()\n",
        encoding="utf-8",
    )

    assert [sentence.split(": ")[1] for sentence in faults(written)] == [
        "imports pickle",
        "imports yaml.load",
        "calls eval",
        "calls os.system",
        "passes shell=",
        "calls yaml.load",
    ]


def sources() -> Iterator[Path]:
    """Every Python file that is the product's."""
    for folder in ("bot", "sandbox", "projects", "mlflow_hooks"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            if file.relative_to(ROOT) != RUNS_NOTEBOOKS:
                yield file


def faults(file: Path) -> Iterator[str]:
    """A sentence for each thing in a file that nobody may do, in its order."""
    tree = ast.parse(file.read_text(encoding="utf-8"), str(file))
    nodes = [
        node for node in ast.walk(tree) if isinstance(node, ast.Call | ast.Import | ast.ImportFrom)
    ]
    for node in sorted(nodes, key=lambda one: (one.lineno, one.col_offset)):
        for fault in faults_of(node):
            yield f"{file.name}:{node.lineno}: {fault}"


def faults_of(node: ast.Call | ast.Import | ast.ImportFrom) -> Iterator[str]:
    """What is wrong with one call or import."""
    match node:
        case ast.Import(names):
            yield from (
                f"imports {one.name}" for one in names if one.name.split(".")[0] in NEVER_IMPORTED
            )
        case ast.ImportFrom(module, names):
            yield from (
                f"imports {module}.{one.name}"
                for one in names
                if f"{module}.{one.name}" in NEVER_CALLED
            )
            if (module or "").split(".")[0] in NEVER_IMPORTED:
                yield f"imports {module}"
        case ast.Call(function, _, keywords):
            if ast.unparse(function) in NEVER_CALLED:
                yield f"calls {ast.unparse(function)}"
            for keyword in keywords:
                if keyword.arg == "shell" and not (
                    isinstance(keyword.value, ast.Constant) and keyword.value.value is False
                ):
                    yield "passes shell="

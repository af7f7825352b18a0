"""Of a log people see first why it ended and where in their own code, then its last lines; however
it was written.
"""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_escape import HOSTILE

from bot.words.log import LINES, LONGEST_LINE, excerpt

PROJECT = "projects/ExampleTrainingProject"

PLAIN = """\
loading the data
Traceback (most recent call last):
  File "/tmp/project-ab12cd34/train.py", line 91, in <module>
    main()
  File "/tmp/project-ab12cd34/steps/fit.py", line 78, in fit
    train_x = train[cols]
              ~~~~~^^^^^^
  File "/databricks/python/lib/python3.11/site-packages/pandas/core/frame.py", line 3813, in __getitem__
    indexer = self.columns._get_indexer_strict(key, "columns")[1]
KeyError: 'alcohol'
launcher: KeyError: 'alcohol' (exit code 1)
"""  # noqa: E501 a table, or a text as it is sent

CHAINED = """\
Traceback (most recent call last):
  File "/tmp/project-ab12cd34/train.py", line 12, in load
    return open(path)
FileNotFoundError: [Errno 2] No such file or directory: 'wine.csv'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/tmp/project-ab12cd34/train.py", line 30, in <module>
    load("wine.csv")
  File "/tmp/project-ab12cd34/train.py", line 14, in load
    raise ValueError("no data") from error
ValueError: no data
"""

CHAINED_OUTSIDE = """\
Traceback (most recent call last):
  File "/tmp/project-ab12cd34/train.py", line 12, in load
    return table["x"]
KeyError: 'x'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/usr/lib/python3.11/site-packages/click/core.py", line 30, in invoke
    raise Exit
click.exceptions.Exit
"""

SURVIVED = PLAIN + "".join(f"epoch {n}\n" for n in range(40))

SYNTAX = """\
  File "/tmp/project-ab12cd34/old.py", line 1, in <module>
Traceback (most recent call last):
  File "train.py", line 3, in <module>
    import steps
  File "/tmp/project-ab12cd34/steps.py", line 4
    def fit(:
            ^
SyntaxError: invalid syntax
"""

LOGGED = """\
2026-03-02 09:30:00 ERROR it broke
2026-03-02 09:30:00 ERROR Traceback (most recent call last):
2026-03-02 09:30:00 ERROR   File "/w/projects/ExampleTrainingProject/train.py", line 5, in <module>
2026-03-02 09:30:00 ERROR     1 / 0
2026-03-02 09:30:00 ERROR ZeroDivisionError: division by zero
"""

GROUP = """\
  + Exception Group Traceback (most recent call last):
  |   File "/tmp/project-ab12cd34/train.py", line 9, in <module>
  |     raise ExceptionGroup("two", [ValueError(1)])
  | ExceptionGroup: two (1 sub-exception)
"""

IPYTHON = (
    PLAIN
    + """\
---------------------------------------------------------------------------
RunFailed                                 Traceback (most recent call last)
File /Workspace/Shared/.signalman/launcher.py:205, in main(argv)
    203     pass
--> 205     raise RunFailed(_sentence(1))

RunFailed: KeyError: 'alcohol' (exit code 1)
"""
)

MLFLOW_OWN = """\
Traceback (most recent call last):
  File "/databricks/mlflow/projects/9f1c/mlflow-project/train.py", line 5, in <module>
    1 / 0
ZeroDivisionError: division by zero
"""

FOREIGN_ONLY = """\
Traceback (most recent call last):
  File "<frozen runpy>", line 198, in _run_module_as_main
  File "/usr/lib/python3.11/runpy.py", line 88, in _run_code
ModuleNotFoundError: No module named 'wine'
"""

WINDOWS = PLAIN.replace("/tmp/project-ab12cd34/", "C:\\work\\projects\\ExampleTrainingProject\\")  # noqa: S108
COLOURED = "".join(f"\x1b[31m{line}\x1b[0m\r\n" for line in PLAIN.splitlines())


@pytest.mark.parametrize(
    ("log", "reason", "place"),
    [
        (PLAIN, "KeyError: 'alcohol'", f"{PROJECT}/steps/fit.py:78"),
        (CHAINED, "ValueError: no data", f"{PROJECT}/train.py:14"),
        (CHAINED_OUTSIDE, "click.exceptions.Exit", f"{PROJECT}/train.py:12"),
        (PLAIN + CHAINED, "ValueError: no data", f"{PROJECT}/train.py:14"),
        (CHAINED + FOREIGN_ONLY, "ModuleNotFoundError: No module named 'wine'", ""),
        (SURVIVED, "", ""),
        (SYNTAX, "SyntaxError: invalid syntax", f"{PROJECT}/steps.py:4"),
        (LOGGED, "ZeroDivisionError: division by zero", f"{PROJECT}/train.py:5"),
        (GROUP, "ExceptionGroup: two (1 sub-exception)", f"{PROJECT}/train.py:9"),
        (IPYTHON, "KeyError: 'alcohol'", f"{PROJECT}/steps/fit.py:78"),
        (MLFLOW_OWN, "ZeroDivisionError: division by zero", f"{PROJECT}/train.py:5"),
        (FOREIGN_ONLY, "ModuleNotFoundError: No module named 'wine'", ""),
        (WINDOWS, "KeyError: 'alcohol'", f"{PROJECT}/steps/fit.py:78"),
        (COLOURED, "KeyError: 'alcohol'", f"{PROJECT}/steps/fit.py:78"),
        ("one line\n", "", ""),
        ("Traceback (most recent call last):\n", "", ""),
        (2 * "Traceback (most recent call last):\n" + "ValueError: x\n", "ValueError: x", ""),
        ("", "", ""),
    ],
    ids=[
        "plain", "chained", "chained, and raised elsewhere", "two of them", "the last one is another", "survived",  # noqa: E501 a table, or a text as it is sent
        "syntax", "logged", "group", "notebook", "mlflow's own backend", "elsewhere", "windows", "coloured", "none",  # noqa: E501 a table, or a text as it is sent
        "cut", "twice", "empty",
    ],
)  # fmt: skip
def test_the_exception_and_the_innermost_frame_of_the_projects_own_code_are_found(
    log: str, reason: str, place: str
) -> None:
    found = excerpt(log, PROJECT)

    assert (found.reason, found.place) == (reason, place)


def test_the_last_lines_are_kept_and_all_are_counted() -> None:
    found = excerpt("".join(f"line {n}\n" for n in range(412)), PROJECT)

    assert found.lines == tuple(f"line {n}" for n in range(392, 412))
    assert found.total == 412


def test_a_log_that_was_cut_before_tells_how_long_it_was() -> None:
    assert excerpt("the end\n", PROJECT, total=412).total == 412


@pytest.mark.parametrize(
    ("log", "total"), [("", 0), ("a", 1), ("a\n", 1), ("a\nb", 2), ("a\n\n", 2)]
)
def test_lines_are_counted_as_people_count_them(log: str, total: int) -> None:
    assert excerpt(log, PROJECT).total == total


def test_of_a_progress_bar_only_what_stands_at_its_end_is_kept() -> None:
    bar = "".join(f"\r{n}%|{'█' * (n // 10)}| {n}/100" for n in range(101))

    assert excerpt(f"begin\n{bar}\nend\r\n{bar}\r\n", PROJECT).lines == (
        "begin", "100%|██████████| 100/100", "end", "100%|██████████| 100/100",
    )  # fmt: skip


def test_a_secret_is_masked_also_where_colours_part_it() -> None:
    coloured = "dapi\x1b[31m0123456789abcdef\x1b[0m0123456789abcdef"

    (line,) = excerpt(
        f"token {coloured} and our-own-secret", PROJECT, secrets=["our-own-secret"]
    ).lines

    assert line == "token ******** and ********"


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece", ["epoch 1 of 9\n", "x", "\r", "\n", "Traceback (most recent call last):\n", '  File "a", line 1\n',  # noqa: E501 a table, or a text as it is sent
              "\x1b[31m", "X   Traceback (most recent call last)\n", CHAINED, "\x1b]", "eyJ.", "100%|█\r"],  # noqa: E501 a table, or a text as it is sent
)  # fmt: skip
def test_fifty_megabytes_take_no_more_than_a_moment(piece: str) -> None:
    log = piece * (50_000_000 // len(piece))
    began = time.process_time()

    found = excerpt(log, PROJECT)

    assert time.process_time() - began < 3
    assert len(found.lines) <= LINES
    assert all(len(line) <= LONGEST_LINE for line in found.lines)


@given(
    st.lists(
        st.sampled_from([*HOSTILE, *PLAIN.splitlines(), *CHAINED.splitlines(), "\n", "\n"]),
        max_size=60,
    ).map("".join)
)
def test_whatever_a_log_holds_it_is_read(log: str) -> None:
    found = excerpt(log, PROJECT)

    assert len(found.lines) <= LINES
    assert found.place == "" or found.place.startswith(f"{PROJECT}/")
    assert not any(
        set(line) & set("\x1b\0\r\n\u202e") for line in (*found.lines, found.reason, found.place)
    )

"""What is said of edits in the workspace, by the name of its file in `said/`."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from bot.config.repository import Folder
from bot.facts.branch import Drift, SourceFile
from bot.rules.branch import drift
from bot.words import drift as words

LIVE = "d4e5f6a70123"
HOOKS = Folder.model_validate({"from": "mlflow_hooks", "to": "/Shared/mlflow_hooks"})
NOTEBOOK = SourceFile("mlflow_hooks/score.py", "0" * 40, 90, notebook=True)
MERGED = b"""# Databricks notebook source
version = dbutils.widgets.get("model_version")

# COMMAND ----------

table = load(version)
write(table, mode="append")
"""
EDITED = MERGED.replace(b'"append")', b'"overwrite")\nprint("done")').replace(b"\n", b"\r\n")
NOTHING = drift.DriftMemo()


def _compared(found: bytes) -> Drift:
    seen = drift.compared("/Shared/mlflow_hooks/score", NOTEBOOK, MERGED, found, 1, [HOOKS])
    assert seen is not None
    return seen


def _restored(one: Drift, memory: drift.DriftMemo = NOTHING) -> Drift:
    return drift.judged(replace(one, policy="restore"), memory)


EDIT = _compared(EDITED)
DELETED = Drift("/Shared/mlflow_hooks/settings.py", "deleted", "report", "1" * 40)
REPLACED = Drift("/Shared/mlflow_hooks/lib", "replaced", "restore", "folder", 1)
FIELDS = drift.of_job(
    "nightly",
    {
        "timeout_seconds": (7200, 60),
        "tasks.score.max_retries": (2, None),
        "tags.team": ("wine", "beer"),
    },
    "report",
)
MANY = [
    replace(EDIT, aside="", place=f"/Shared/mlflow_hooks/number_{number:02}")
    for number in range(44)
]

DRIFTS: Mapping[str, Callable[[], str]] = {
    "drift_edited": lambda: words.drift_reply([drift.judged(EDIT, NOTHING)], LIVE),
    "drift_edited_put_back": lambda: words.drift_reply([_restored(EDIT)], LIVE),
    "drift_edited_again": lambda: words.drift_reply(
        [_restored(EDIT, drift.DriftMemo(restored={EDIT.place: EDIT.found}))], LIVE
    ),
    "drift_edited_unseen": lambda: words.drift_reply(
        [replace(EDIT, aside="", difference=(), added=0, removed=0)], LIVE
    ),
    "drift_deleted": lambda: words.drift_reply([DELETED], LIVE),
    "drift_deleted_put_back": lambda: words.drift_reply([_restored(DELETED)], LIVE),
    "drift_replaced": lambda: words.drift_reply([REPLACED], LIVE),
    "drift_job": lambda: words.drift_reply([FIELDS], LIVE),
    "drift_job_put_back": lambda: words.drift_reply([_restored(FIELDS)], LIVE),
    "drift_job_put_back_again": lambda: words.drift_reply(
        [_restored(FIELDS, drift.DriftMemo(restored={FIELDS.place: FIELDS.found}))], LIVE
    ),
    "drift_many": lambda: words.drift_reply([FIELDS, DELETED, *MANY], LIVE),
    "drift_many_put_back": lambda: words.drift_reply(
        [_restored(one) for one in (EDIT, DELETED, FIELDS)], LIVE
    ),
}

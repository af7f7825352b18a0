"""What counts as changed by hand in the workspace, what is told of it and what is put back."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.actions import BranchAction, NoteDrift, Reply, SetAside, Together, WriteObject
from bot.config.repository import Folder
from bot.facts.branch import Drift, Edited, SourceFile
from bot.rules.branch import drift
from bot.rules.branch.drift import DriftMemo, WorkspaceObject

HOOKS = Folder.model_validate({"from": "hooks", "to": "/Shared/hooks"})
MENDED = Folder.model_validate({"from": "hooks", "to": "/Shared/hooks", "drift": "restore"})
LIVE = "a1b2c3d4"
NOW = 1_000_000.0
CELLS = ["import os", "%md\n# Wine", "score(table)"]


def digest(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()  # noqa: S324 - as Git names it


def file(path: str, content: bytes = b"x") -> SourceFile:
    return SourceFile(
        path, digest(content), len(content), notebook=not path.endswith(("s.py", ".csv"))
    )


def source(*cells: str) -> bytes:
    return (
        "# Databricks notebook source\n" + "\n\n# COMMAND ----------\n\n".join(cells) + "\n"
    ).encode()


def jupyter(*cells: tuple[str, Any], **more: Any) -> bytes:
    made = [{"cell_type": kind, "source": text, "metadata": {}, **more} for kind, text in cells]
    return json.dumps({"cells": made, "metadata": more, "nbformat": 4}).encode()


def compared(
    path: str, wanted: bytes, found: bytes, folder: Folder = HOOKS, secrets: Any = ()
) -> Drift | None:
    own = file(path, wanted)
    target = "/Shared/hooks/" + (
        path.removeprefix("hooks/").rpartition(".")[0] if own.notebook else path[6:]
    )
    return drift.compared(target, own, wanted, found, 7, [folder], secrets)


# -- what counts as edited


@pytest.mark.parametrize(
    "found",
    [
        source(*CELLS),
        source(*CELLS).replace(b"\n", b"\r\n"),
        source(*CELLS).rstrip(),
        source(*CELLS) + b"\n\n",
        source(*(f"\n{cell}   \n\n" for cell in CELLS)),
        source(*CELLS, ""),
        source(*CELLS).replace(b"source\n", b"source\n\n", 1),
    ],
)
def test_a_notebook_is_the_same_whatever_its_line_ends_and_blank_lines(found: bytes) -> None:
    assert compared("hooks/score.py", source(*CELLS), found) is None


@pytest.mark.parametrize(
    "found",
    [
        source("import sys", *CELLS[1:]),
        source(*CELLS[:2]),
        source(*reversed(CELLS)),
        source(*CELLS, "drop(table)"),
        source(CELLS[0] + "\n" + CELLS[1], CELLS[2]),
        source("  import os", *CELLS[1:]),
    ],
)
def test_a_notebook_with_other_cells_is_edited(found: bytes) -> None:
    edited = compared("hooks/score.py", source(*CELLS), found)

    assert edited is not None
    assert (edited.place, edited.kind, edited.policy, edited.modified) == (
        "/Shared/hooks/score",
        "edited",
        "report",
        7,
    )
    assert edited.difference


def test_of_a_jupyter_notebook_outputs_and_metadata_are_peoples() -> None:
    wanted = jupyter(("markdown", ["# Wine\n", "x"]), ("code", "score()\n"))
    found = jupyter(
        ("markdown", "%md\n# Wine\nx"), ("code", ["score()"]), ("code", ""), outputs=[{"text": "5"}]
    )

    assert compared("hooks/score.ipynb", wanted, found) is None


@pytest.mark.parametrize(
    "found",
    [
        jupyter(("code", "# Wine")),
        jupyter(("markdown", "# Beer")),
        jupyter(),
        b"not JSON at all",
        b"[1]",
    ],
)
def test_a_jupyter_notebook_with_other_cells_is_edited(found: bytes) -> None:
    assert compared("hooks/score.ipynb", jupyter(("markdown", "# Wine")), found) is not None


def test_a_plain_file_is_compared_byte_for_byte() -> None:
    assert compared("hooks/settings.py", b"a = 1\n", b"a = 1\n") is None
    for found in (b"a = 1", b"a = 1\r\n", b"a = 1 \n", b"a = 2\n", b"", b"\xff\x00"):
        assert compared("hooks/settings.py", b"a = 1\n", found) is not None


def test_what_is_no_text_has_no_difference_to_show() -> None:
    edited = compared("hooks/table.csv", b"\xff\x00", b"\xff\x01")

    assert edited is not None
    assert edited.difference == ()


def test_the_difference_has_no_secret_and_counts_every_line() -> None:
    token = "dapi" + "0123456789abcdef" * 2
    found = source(CELLS[0], f'key = "{token}"\nword = "hush hush"\nscore(table)')

    edited = compared("hooks/score.py", source(CELLS[0], CELLS[2]), found, secrets=["hush hush"])

    assert edited is not None
    assert (edited.added, edited.removed) == (2, 0)
    assert token not in "".join(edited.difference)
    assert "hush" not in "".join(edited.difference)


@given(
    st.lists(st.sampled_from(["a", "b", "", "c = 1"]), max_size=60),
    st.lists(st.sampled_from("abx"), max_size=60),
)
def test_added_and_removed_lines_account_for_how_many_lines_there_are(
    before: list[str], after: list[str]
) -> None:
    wanted, found = "\n".join(before), "\n".join(after)

    edited = compared("hooks/settings.py", wanted.encode(), found.encode())

    assert (edited is None) == (wanted == found)
    if edited:
        assert edited.added - edited.removed == found.count("\n") - wanted.count("\n")
        assert (
            sum(line.startswith(("+", "-")) for line in edited.difference)
            <= edited.added + edited.removed
        )


def test_a_long_difference_is_cut_and_a_huge_one_is_not_searched() -> None:
    wanted = "".join(f"a{number}\n" for number in range(30_000)).encode()

    edited = compared("hooks/table.csv", wanted, wanted.replace(b"a", b"b"))

    assert edited is not None
    assert (edited.added, edited.removed) == (30_000, 30_000)
    assert edited.difference[-1] == "… and 59940 more lines"


def test_what_lies_there_to_the_byte_is_known_by_its_digest_alone() -> None:
    assert drift.untouched(file("hooks/score.py", b"abc"), b"abc")
    assert not drift.untouched(file("hooks/score.py", b"abc"), b"abd")
    sha256 = hashlib.sha256(b"blob 3\0abc").hexdigest()
    assert drift.untouched(SourceFile("hooks/a", sha256, 3), b"abc")


# -- what is looked at

OWNED = {
    "/Shared/hooks/score": file("hooks/score.py"),
    "/Shared/hooks/deep/table.csv": file("hooks/deep/table.csv"),
}
STANDING = {
    "/Shared/hooks/score": WorkspaceObject("notebook", 50),
    "/Shared/hooks/deep/table.csv": WorkspaceObject("file", 70),
    "/Shared/hooks/somebody": WorkspaceObject("notebook", 900),
}
SETTLED = DriftMemo(checked=70, whole=NOW - 60)


def test_only_what_the_manifest_and_its_commit_both_have_is_the_bots() -> None:
    files = {path: own.digest for path, own in OWNED.items()}

    assert drift.owned({**files, "/Shared/hooks/kept": "0"}, OWNED) == OWNED
    assert drift.owned({}, OWNED) == {}
    assert drift.owned({"/Shared/hooks/score": "0?"}, OWNED) == {}
    assert drift.listed(OWNED) == ("/Shared/hooks", "/Shared/hooks/deep")


@pytest.mark.parametrize(
    ("memory", "score", "now", "asked"),
    [
        (DriftMemo(), 50, NOW, {"score", "table.csv"}),
        (SETTLED, 50, NOW, set()),
        (SETTLED, 71, NOW, {"score"}),
        (SETTLED, 0, NOW, {"score"}),
        (replace(SETTLED, again=frozenset({"/Shared/hooks/score"})), 50, NOW, {"score"}),
        (replace(SETTLED, again=frozenset({"/Shared/hooks/gone"})), 50, NOW, set()),
        (SETTLED, 50, NOW + drift.DAY, {"score", "table.csv"}),
        (SETTLED, 50, NOW - 3600, {"score", "table.csv"}),
    ],
)
def test_what_is_older_than_the_newest_that_was_compared_is_not_read_again_on_the_same_day(
    memory: DriftMemo, score: int, now: float, asked: set[str]
) -> None:
    standing = {**STANDING, "/Shared/hooks/score": WorkspaceObject("notebook", score)}

    assert {
        path.rpartition("/")[2] for path in drift.suspects(OWNED, standing, memory, now)
    } == asked


def test_what_is_gone_and_what_is_something_else_is_seen_in_the_listing() -> None:
    standing = {"/Shared/hooks/score": WorkspaceObject("folder", 0)}

    found = drift.missing(OWNED, standing, [MENDED])

    assert [(one.place, one.kind, one.policy) for one in found] == [
        ("/Shared/hooks/score", "replaced", "restore"),
        ("/Shared/hooks/deep/table.csv", "deleted", "restore"),
    ]
    assert drift.suspects(OWNED, standing, DriftMemo(), NOW) == ()
    assert drift.missing(OWNED, STANDING, [MENDED]) == []


def test_the_policy_is_that_of_the_innermost_folder() -> None:
    inner = Folder.model_validate({"from": "deep", "to": "/Shared/hooks/deep", "drift": "restore"})

    assert drift.policy("/Shared/hooks/deep/x", file("deep/x.py"), [HOOKS, inner]) == "restore"
    assert drift.policy("/Shared/hooks/deep/x", file("hooks/deep/x.py"), [HOOKS, inner]) == "report"


@pytest.mark.parametrize(
    "memo", [{}, {"drift": None}, {"drift": {}}, {"drift": 5}, {"drift": {"checked": "x"}}]
)
def test_a_memo_that_cannot_be_read_is_as_good_as_none(memo: Mapping[str, Any]) -> None:
    assert drift.recall(memo) == DriftMemo()
    assert drift.left(memo) == Edited()


def test_what_is_remembered_is_recalled() -> None:
    gone, job = (
        Drift("/Shared/hooks/deep/table.csv", "deleted", "restore"),
        Drift("nightly", "field", "report"),
    )
    seen = [drift.judged(one, DriftMemo()) for one in (gone, job)]
    standing = {
        "/Shared/hooks/score": WorkspaceObject("notebook", 50),
        "/Shared/hooks/somebody": WorkspaceObject("file", 900),
    }

    kept = json.loads(
        json.dumps(
            drift.remembered(DriftMemo(), OWNED, standing, seen, ["/Shared/hooks/score"], NOW)
        )
    )
    memory = drift.recall(kept)

    assert (memory.checked, memory.whole) == (50, NOW)
    assert memory.again == {"/Shared/hooks/deep/table.csv", "/Shared/hooks/score"}
    assert len(memory.told) == 2
    assert memory.restored == {gone.place: gone.found}
    assert drift.recall(drift.remembered(memory, OWNED, STANDING, [], [], NOW + 5)).whole == NOW


def test_what_is_left_as_it_was_found_is_remembered_and_what_was_put_back_is_not() -> None:
    job = Drift("nightly", "field", "report")
    seen = [
        edited(),
        Drift("/Shared/hooks/gone", "deleted", "restore"),
        job,
        replace(job, place="w", policy="restore"),
    ]
    judged = [drift.judged(one, DriftMemo()) for one in seen]

    left = drift.left(
        json.loads(
            json.dumps(drift.remembered(DriftMemo(), OWNED, STANDING, judged, ["/unread"], NOW))
        )
    )

    assert left == Edited(("/Shared/hooks/score",), ("nightly",), datetime.fromtimestamp(NOW, UTC))


# -- jobs


def test_a_job_tells_its_fields() -> None:
    seen = drift.of_job(
        "nightly", {"timeout_seconds": (3600, 60), "tags.team": ("wine", None)}, "report"
    )

    assert (seen.place, seen.kind, seen.policy) == ("nightly", "field", "report")
    assert seen.fields == ("timeout_seconds", "tags.team")
    assert seen.difference == (
        "-timeout_seconds: 3600",
        "+timeout_seconds: 60",
        '-tags.team: "wine"',
    )


# -- what is done


def edited(content: str = "y", folder: Folder = HOOKS, modified: int = 90) -> Drift:
    seen = drift.compared("/Shared/hooks/score", OWNED["/Shared/hooks/score"], source("x"), source(content), modified,  # noqa: E501 a table, or a text as it is sent
                          [folder])  # fmt: skip
    assert seen is not None
    return seen


def orders(*seen: Drift, memory: DriftMemo = SETTLED, number: int | None = 7) -> list[BranchAction]:
    contents = {one.place: b"found" for one in seen if one.kind == "edited"}
    owned = {**{one.place: OWNED["/Shared/hooks/score"] for one in seen}, **OWNED}
    return drift.plan(
        [drift.judged(one, memory) for one in seen], owned, contents, memory, LIVE, number
    )


def after(*seen: Drift, memory: DriftMemo = SETTLED) -> DriftMemo:
    judged = [drift.judged(one, memory) for one in seen]
    return drift.recall(drift.remembered(memory, OWNED, STANDING, judged, [], NOW))


def test_an_edit_is_noted_told_and_left_alone() -> None:
    note, reply = orders(edited())

    assert isinstance(note, NoteDrift)
    assert isinstance(reply, Reply)
    assert reply.number == 7
    assert reply.body.startswith(reply.sign)
    assert "/Shared/hooks/score" in reply.body


def test_the_same_edit_is_told_once_and_another_again() -> None:
    (_, first), memory = orders(edited("y")), after(edited("y"))

    assert orders(edited("y"), memory=memory) == []
    for other in (edited("z"), edited("y", modified=91)):
        _, second = orders(other, memory=memory)
        assert isinstance(first, Reply)
        assert isinstance(second, Reply)
        assert first.sign != second.sign
    # What is not remembered is known again by its sign.
    assert orders(edited("y"))[1] == first


def test_nobody_is_told_where_no_pull_request_is_known() -> None:
    assert [type(one) for one in orders(edited(), number=None)] == [NoteDrift]


def test_an_edit_is_told_and_kept_before_it_is_written_over() -> None:
    note, reply, kept, written = orders(edited(folder=MENDED))

    assert isinstance(note, NoteDrift)
    assert isinstance(reply, Reply)
    assert isinstance(kept, Together)
    assert isinstance(written, Together)
    (aside,) = kept.actions
    assert isinstance(aside, SetAside)
    assert aside.path.startswith("/Shared/hooks/.edited/score~")
    assert (aside.content, aside.suffix) == (b"found", ".py")
    assert f"`{aside.path}`" in reply.body
    assert written.actions == (
        WriteObject("/Shared/hooks/score", OWNED["/Shared/hooks/score"], LIVE),
    )


def test_what_was_deleted_is_written_again_and_what_is_something_else_is_left_alone() -> None:
    gone = Drift("/Shared/hooks/deep/table.csv", "deleted", "restore", "0")
    other = Drift("/Shared/hooks/score", "replaced", "restore", "folder")

    *_, written = orders(gone, other)

    assert isinstance(written, Together)
    assert [one.path for one in written.actions] == ["/Shared/hooks/deep/table.csv"]


def test_what_reads_the_same_after_it_was_put_back_is_left_alone_until_it_was_right_once() -> None:
    first = edited(folder=MENDED)
    memory = after(first)
    again = edited(folder=MENDED, modified=95)

    note, reply = orders(again, memory=memory)
    assert isinstance(note, NoteDrift)
    assert isinstance(reply, Reply)
    assert "put back before" in reply.body
    assert orders(again, memory=after(again, memory=memory)) == []
    *_, written = orders(again, memory=after(memory=memory))
    assert isinstance(written, Together)
    *_, written = orders(edited("z", folder=MENDED), memory=memory)
    assert isinstance(written, Together)


def test_a_job_is_put_back_each_time_and_never_said_to_be_left_alone() -> None:
    seen = drift.of_job("nightly", {"timeout_seconds": (3600, 60)}, "restore")
    memory, bodies = SETTLED, []
    for _ in range(4):
        done = orders(seen, memory=memory)
        assert isinstance(done[0], NoteDrift)
        assert done[0].drift.put_back
        bodies += [one.body for one in done if isinstance(one, Reply)]
        memory = after(seen, memory=memory)

    first, second = bodies
    assert "It is put back as Git has it" in first
    assert "put back once more" in second
    assert not any("left alone" in body for body in bodies)


def test_many_edits_are_told_in_one_reply_for_each_outcome() -> None:
    many = [replace(edited(), place=f"/Shared/hooks/{number}") for number in range(9)]
    mended = [
        replace(edited(folder=MENDED), place=f"/Shared/mended/{number}") for number in range(3)
    ]

    replies = [one for one in orders(*many, *mended) if isinstance(one, Reply)]

    assert len(replies) == 4
    assert len({one.sign for one in replies}) == 4
    assert all(one.body.startswith(one.sign) for one in replies)


@given(
    st.lists(st.sampled_from("abcdefgh"), unique=True),
    st.lists(st.sampled_from("abcdefgh"), unique=True),
)
def test_what_was_told_is_not_told_again_in_whatever_company(
    first: list[str], second: list[str]
) -> None:
    def seen(names: list[str]) -> list[Drift]:
        return [replace(edited(), place=f"/Shared/hooks/{name}") for name in names]

    noted = [
        one.drift.place[-1]
        for one in orders(*seen(second), memory=after(*seen(first)))
        if isinstance(one, NoteDrift)
    ]

    assert sorted(noted) == sorted(set(second) - set(first))

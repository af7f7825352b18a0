"""The mirror of a served repository, fetched from the stand-in by Git itself."""

import base64
import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TypeVar

import psutil
import pytest
from pydantic import SecretStr
from scripted_server import Asked, Said, nobody, scripted, silent

from bot.config.environment import ServedRepository
from bot.errors import ConfigError, NotFound, ProjectError, ServiceError
from bot.services import git
from bot.services.git import Mirror
from sandbox.azure_devops import AzureDevOps as StandIn

T = TypeVar("T")
PROJECT, REPOSITORY = "ml team", "our models"
TOKEN = "pat-very-secret-4711"
NOTEBOOK = "# Databricks notebook source\nprint(1)\n"


@pytest.fixture
def azure(tmp_path: Path) -> Iterator[StandIn]:
    content = tmp_path / "content"
    (content / "projects" / "a b").mkdir(parents=True)
    (content / "projects" / "a b" / "MLproject").write_text("name: a b\n")
    (content / "projects" / "a b" / "run.sh").write_text("#!/bin/sh\n")
    (content / "hooks").mkdir()
    (content / "hooks" / "score.py").write_text(NOTEBOOK)
    (content / "hooks" / "settings.py").write_text("DATA = 1\n")
    stand_in = StandIn(tmp_path / "azure", project=PROJECT, repository=REPOSITORY, bot_token=TOKEN)
    with stand_in as started:
        started.seed(content)
        yield started


@pytest.fixture
def mirror(azure: StandIn, tmp_path: Path) -> Mirror:
    return at(azure.organization_url, tmp_path / "var")


def at(organization_url: str, var: Path, *tokens: str) -> Mirror:
    served = ServedRepository(
        f"contoso/{PROJECT}/{REPOSITORY}", organization_url, PROJECT, REPOSITORY, "main"
    )
    return Mirror(served, tuple(SecretStr(one) for one in tokens or (TOKEN,)), var)


def linked(azure: StandIn, folder: Path) -> str:
    """A branch with links and a program, pushed by Git as people do; gives its commit."""
    clone = folder / "clone"
    header = base64.b64encode(f":{TOKEN}".encode()).decode()
    sign_in = [
        "-c",
        f"http.extraHeader=Authorization: Basic {header}",
        "-c",
        "user.name=Ada",
        "-c",
        "user.email=a@b.c",
    ]

    def run(*words: str, at: Path = clone) -> str:
        done = subprocess.run(
            ["git", *sign_in, *words], cwd=at, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    run("clone", "--quiet", azure.clone_url, str(clone), at=folder)
    run("checkout", "--quiet", "-b", "linked")
    (clone / "projects" / "a b" / "out").symlink_to("/etc/passwd")
    (clone / "projects" / "a b" / "up").symlink_to("../../hooks")
    (clone / "projects" / "a b" / "run.sh").chmod(0o755)
    run("add", "-A")
    run("commit", "--quiet", "-m", "Link")
    run("push", "--quiet", "origin", "linked")
    return run("rev-parse", "HEAD")


def test_a_branch_is_fetched_and_its_files_read(azure: StandIn, mirror: Mirror) -> None:
    commit = mirror.fetch("main")

    assert commit == azure.tip("main")
    assert mirror.read(commit, "projects/a b/MLproject") == b"name: a b\n"
    assert mirror.read(commit, "projects/none") is None
    assert mirror.read(commit, "projects") is None


def test_files_are_listed_with_what_kind_they_are(mirror: Mirror) -> None:
    found = {
        file.path: file for file in mirror.files(mirror.fetch("main"), ("hooks", "nothing here"))
    }

    assert set(found) == {"hooks/score.py", "hooks/settings.py"}
    assert (found["hooks/score.py"].notebook, found["hooks/settings.py"].notebook) == (True, False)
    assert found["hooks/score.py"].size == len(NOTEBOOK)


def test_a_branch_that_has_moved_is_fetched_where_it_is_now(azure: StandIn, mirror: Mirror) -> None:
    first = azure.push("change", {"new.txt": "one"}, "One")
    mirror.bring("change", first)
    azure.push("change", {"new.txt": "two"}, "Two")
    second = azure.push("change", {"new.txt": "rewritten"}, "Rewritten", force=True)

    fetched = mirror.fetch("change")

    assert fetched == second
    assert mirror.read(second, "new.txt") == b"rewritten"
    assert mirror.read(first, "new.txt") == b"one"


def test_a_commit_that_the_branch_has_left_is_said_to_be_gone(
    azure: StandIn, mirror: Mirror
) -> None:
    lost = azure.push("change", {"new.txt": "one"}, "One")
    azure.push("change", {"new.txt": "two"}, "Two", force=True)

    with pytest.raises(NotFound, match="is no longer at"):
        mirror.bring("change", lost)


def test_a_commit_that_the_branch_was_once_at_is_brought(azure: StandIn, mirror: Mirror) -> None:
    old = azure.tip("main")
    for number in range(3):
        azure.push("main", {"more.txt": str(number)}, "Go on", base="main")
    mirror.fetch("main")

    mirror.bring_past("main", old)

    assert mirror.read(old, "more.txt") is None
    with pytest.raises(NotFound, match="main was not at 0123456 lately"):
        mirror.bring_past("main", "0123456" + "0" * 33)


def test_a_branch_that_is_not_there_is_not_found(mirror: Mirror) -> None:
    with pytest.raises(NotFound, match="has no branch"):
        mirror.fetch("never_was")


def test_the_merge_that_was_tried_is_brought_with_both_of_its_sides(
    azure: StandIn, mirror: Mirror
) -> None:
    before = azure.tip("main")
    head = azure.push("change", {"new.txt": "new"}, "Change it")
    azure.push("main", {"other.txt": "other"}, "Move on")
    number = azure.open_pull_request("change")

    merge, side = mirror.bring_merge(number)

    assert side == head
    assert mirror.parents(merge) == (azure.tip("main"), head)
    assert mirror.parents(azure.tip("main")) == (before,)
    assert mirror.read(merge, "new.txt") == mirror.read(head, "new.txt") == b"new"
    assert mirror.read(merge, "other.txt") == b"other"


def test_the_merge_is_brought_again_after_a_push(azure: StandIn, mirror: Mirror) -> None:
    azure.push("change", {"new.txt": "one"}, "One")
    number = azure.open_pull_request("change")
    first, _ = mirror.bring_merge(number)
    head = azure.push("change", {"new.txt": "two"}, "Two", force=True)

    second, side = mirror.bring_merge(number)

    assert (second != first, side) == (True, head)


def test_what_conflicts_has_no_merge_or_that_of_an_older_head(
    azure: StandIn, mirror: Mirror
) -> None:
    azure.push("change", {"new.txt": "one"}, "One")
    azure.push("main", {"new.txt": "another"}, "Another")
    azure.push("late", {"late.txt": "one"}, "One")
    number, late = azure.open_pull_request("change"), azure.open_pull_request("late")
    azure.push("main", {"late.txt": "another"}, "Conflict")
    head = azure.push("late", {"late.txt": "two"}, "Two")

    with pytest.raises(NotFound, match=f"has no refs/pull/{number}/merge"):
        mirror.bring_merge(number)
    assert mirror.bring_merge(late)[1] != head


def test_the_head_of_a_fork_is_brought_by_the_merge_that_was_tried_with_it(
    azure: StandIn, mirror: Mirror
) -> None:
    first = azure.fork_push("our models.bo", "main", {"new.txt": "one"}, "One")
    number = azure.open_pull_request("main", fork="our models.bo")
    mirror.bring_fork(number, first)
    head = azure.fork_push("our models.bo", "main", {"new.txt": "two"}, "Two")

    mirror.bring_fork(number, head)
    mirror.bring_fork(number, first)

    assert mirror.read(head, "new.txt") == b"two"
    with pytest.raises(NotFound, match="has not tried to merge"):
        mirror.bring_fork(number, "f" * 40)


def test_parents_of_what_was_not_fetched_are_not_known(mirror: Mirror) -> None:
    mirror.fetch("main")

    with pytest.raises(NotFound):
        mirror.parents("f" * 40)


def test_a_fetched_merge_does_not_keep_the_target_branch_from_being_followed(
    azure: StandIn, mirror: Mirror
) -> None:
    before = azure.tip("main")
    mirror.fetch("main")
    for number in range(3):
        azure.push("main", {"new.txt": f"{number}"}, "Move on")
    azure.push("change", {"a.txt": "one"}, "One")
    mirror.bring_merge(azure.open_pull_request("change"))

    found = mirror.since("main", before, mirror.fetch("main"))

    assert len(found) == 3


@pytest.mark.parametrize(
    "branch", ["feature/a b", "--upload-pack=touch pwned", "-q", "main:refs/heads/other", "a..b"]
)
def test_a_branch_name_is_never_an_option_nor_a_place_to_write(
    mirror: Mirror, tmp_path: Path, branch: str
) -> None:
    mirror.fetch("main")

    with pytest.raises(ServiceError):
        mirror.fetch(branch)

    assert not list(tmp_path.rglob("pwned"))
    with pytest.raises(ServiceError):
        mirror.fetch("other")


def test_a_folder_is_exported_with_its_programs_and_links_that_are_not_followed(
    azure: StandIn, mirror: Mirror, tmp_path: Path
) -> None:
    commit = linked(azure, tmp_path)
    mirror.bring("linked", commit)

    mirror.export(commit, "projects/a b", tmp_path / "exported")

    exported = tmp_path / "exported"
    assert (exported / "MLproject").read_text() == "name: a b\n"
    assert os.access(exported / "run.sh", os.X_OK)
    assert not os.access(exported / "MLproject", os.X_OK)
    assert os.readlink(exported / "out") == "/etc/passwd"
    assert mirror.read(commit, "projects/a b/out") is None
    assert {
        file.path.rsplit("/", 1)[1]: file.link for file in mirror.files(commit, ("projects",))
    } == {
        "MLproject": False,
        "run.sh": False,
        "out": True,
        "up": True,
    }


def test_a_tree_that_holds_itself_many_times_is_refused_before_it_is_listed_or_exported(
    azure: StandIn, mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = azure.push("many", {f"projects/many/{n}.txt": "x" for n in range(60)}, "Many")
    mirror.bring("many", commit)
    monkeypatch.setattr(git, "MOST_FILES", 50)

    with pytest.raises(ConfigError, match=r"projects/many at \w{7} hold more than 50 files"):
        mirror.files(commit, ("projects/many",))
    with pytest.raises(ProjectError, match="projects/many holds more than 50 files"):
        mirror.export(commit, "projects/many", tmp_path / "exported")

    assert {file.path for file in mirror.files(commit, ("hooks",))} == {
        "hooks/score.py",
        "hooks/settings.py",
    }


def test_a_file_and_a_folder_that_are_too_large_are_refused(
    azure: StandIn, mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = azure.push("large", {"projects/large/x.csv": "x" * 2000}, "Large")
    mirror.bring("large", commit)
    monkeypatch.setattr(git, "LARGEST_FILE", 1000)
    monkeypatch.setattr(git, "LARGEST_FOLDER", 1000)

    with pytest.raises(ConfigError, match="has 2,000 bytes"):
        mirror.read(commit, "projects/large/x.csv")
    with pytest.raises(ProjectError, match="1,000 bytes"):
        mirror.export(commit, "projects/large", tmp_path / "exported")


@pytest.mark.parametrize("named", [b"\xff\xfe", b"a\0b", b"x" * 5000, b""])
def test_a_link_that_names_no_text_is_exported_as_far_as_it_can_be(
    azure: StandIn, mirror: Mirror, tmp_path: Path, named: bytes
) -> None:
    main = mirror.fetch("main")
    folder = next(tmp_path.rglob("HEAD")).parent
    link = subprocess.run(
        ["git", "hash-object", "-w", "--stdin"], cwd=folder, input=named, capture_output=True,
        check=True,
    ).stdout.decode().strip()  # fmt: skip
    tree = f"120000 blob {link}\tlink\n".encode()
    for name in ("p", "projects"):
        made = subprocess.run(["git", "mktree"], cwd=folder, input=tree, capture_output=True)
        tree = f"040000 tree {made.stdout.decode().strip()}\t{name}\n".encode()
    top = subprocess.run(["git", "mktree"], cwd=folder, input=tree, capture_output=True)
    author = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a", "GIT_COMMITTER_NAME": "a"}
    made = subprocess.run(
        ["git", "commit-tree", top.stdout.decode().strip(), "-p", main, "-m", "x"], cwd=folder,
        capture_output=True, check=True, env={**os.environ, **author, "GIT_COMMITTER_EMAIL": "a"},
    )  # fmt: skip

    mirror.export(made.stdout.decode().strip(), "projects/p", tmp_path / "exported")

    assert (tmp_path / "exported" / "link").is_symlink()


def test_a_folder_that_the_commit_does_not_have_is_not_found(
    mirror: Mirror, tmp_path: Path
) -> None:
    commit = mirror.fetch("main")

    with pytest.raises(NotFound):
        mirror.export(commit, "projects/none", tmp_path / "exported")
    with pytest.raises(NotFound):
        mirror.files("f" * 40, ("projects",))


def test_the_token_is_in_no_argument_and_in_no_file(
    azure: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = shutil.which("git")
    watching = tmp_path / "bin" / "git"
    watching.parent.mkdir()
    watching.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" >> "{tmp_path}/argv"\nexec "{real}" "$@"\n'
    )
    watching.chmod(0o755)
    monkeypatch.setenv("PATH", f"{watching.parent}{os.pathsep}{os.environ['PATH']}")
    mirror = at(azure.organization_url, tmp_path / "var", "pat-expired-4711", TOKEN)

    mirror.fetch("main")
    with pytest.raises(ServiceError) as refused:
        mirror.fetch("never_was")

    secrets = [TOKEN, "pat-expired-4711"]
    secrets += [base64.b64encode(f":{one}".encode()).decode() for one in secrets]
    written = [path.read_bytes() for path in (tmp_path / "var").rglob("*") if path.is_file()]
    argv = (tmp_path / "argv").read_text()
    assert "fetch" in argv
    assert written
    for secret in secrets:
        assert secret not in argv
        assert secret not in str(refused.value)
        assert not any(secret.encode() in content for content in written)


def test_the_second_token_is_used_when_the_first_has_expired(
    azure: StandIn, tmp_path: Path
) -> None:
    mirror = at(azure.organization_url, tmp_path / "var", "pat-expired", TOKEN)

    assert mirror.fetch("main") == azure.tip("main")


def test_tokens_that_are_all_refused_are_told(azure: StandIn, tmp_path: Path) -> None:
    mirror = at(azure.organization_url, tmp_path / "var", "pat-expired")

    with pytest.raises(ServiceError, match="could not be fetched") as refused:
        mirror.fetch("main")

    assert not isinstance(refused.value, NotFound)
    assert "pat-expired" not in str(refused.value)


def test_git_follows_no_redirect(azure: StandIn, tmp_path: Path) -> None:
    def astray(asked: Asked) -> Said:
        return Said("moved", 302, {"Location": azure.url + asked.path})

    with scripted(astray) as front, pytest.raises(ServiceError):
        at(f"{front.url}/contoso", tmp_path / "var").fetch("main")


def test_a_git_server_that_does_not_answer_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(git, "_TIMEOUT", 1.0)
    with silent() as mute:
        for address in (mute, nobody()):
            begun = time.monotonic()
            with pytest.raises(ServiceError):
                at(f"{address}/contoso", tmp_path / "var").fetch("main")
            assert time.monotonic() - begun < 10


@pytest.mark.parametrize("left", ["shallow.lock", "packed-refs.lock", "refs/heads/main.lock"])
def test_what_a_killed_git_left_behind_stops_nobody(
    mirror: Mirror, azure: StandIn, tmp_path: Path, left: str
) -> None:
    mirror.fetch("main")
    (folder,) = (one for one in (tmp_path / "var" / "git").iterdir() if one.is_dir())
    (folder / left).write_text("")
    azure.push("main", {"new.txt": "new"}, "Move on")

    assert mirror.fetch("main") == azure.tip("main")


FETCHING = """
import sys
from pathlib import Path
from pydantic import SecretStr
from bot.services.git import Mirror
from bot.config.environment import ServedRepository
Mirror(ServedRepository("a/b/c", sys.argv[1], "b", "c", "main"), (SecretStr("pat"),), Path(sys.argv[2])).fetch("main")
"""  # noqa: E501 a table, or a text as it is sent


def test_a_git_that_outlives_its_worker_keeps_the_mirror_to_itself(tmp_path: Path) -> None:
    with silent() as address:
        var = tmp_path / "var"
        command = [sys.executable, "-c", FETCHING, f"{address}/contoso", str(var)]
        worker = subprocess.Popen(command, cwd=Path(__file__).parents[2])
        try:
            child = _wait_for(lambda: _git_of(worker.pid))
        finally:
            worker.kill()
            worker.wait()
        (lock,) = (var / "git").glob("*.lock")
        with lock.open("w") as file:
            with pytest.raises(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for one in (child, *child.children(recursive=True)):
                one.kill()
            _wait_for(lambda: _free(file))


def _git_of(worker: int) -> psutil.Process | None:
    """The Git that fetches; another one is asked for its version first, and is gone at once."""
    for one in psutil.Process(worker).children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if one.name() == "git" and "fetch" in one.cmdline():
                return one
    return None


def _free(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait_for(found: Callable[[], T | None]) -> T:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if one := found():
            return one
        threading.Event().wait(0.02)
    raise AssertionError("It did not happen within 20 seconds.")

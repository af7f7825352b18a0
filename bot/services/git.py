"""The repository's content at a commit, from a cache: a bare mirror that is never checked out.

Git runs without user and system configuration, without hooks, submodules,
filters and prompts; the token travels in Git's environment, never in an
argument, a file or an address.
"""

import base64
import fcntl
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import cast
from urllib.parse import quote

from git import Blob, Git, GitCommandError, Repo, Tree

from bot.config.environment import Secrets, ServedRepository
from bot.errors import ConfigError, NotFound, ProjectError, ServiceError
from bot.facts.branch import SourceFile, is_notebook

_TIMEOUT = 120.0
_LONGEST_CATCH_UP = 200

MOST_FILES = 50_000
"""Files of some folders of a commit. A few small trees that hold each other many times have
billions.
"""

LARGEST_FOLDER = 1024**3
"""Bytes of all files of a folder that is exported."""

LARGEST_FILE = 16 * 1024 * 1024
"""Bytes of a file that is read as a whole; the workspace takes 10 MB."""

_LONGEST_LINK = 4000
"""Bytes of what a link names; Linux takes 4,095."""


class Mirror:
    """A bare mirror of one served repository, shared by the processes of one machine."""

    def __init__(self, served: ServedRepository, tokens: Secrets, var: Path) -> None:
        self._served = served
        self._tokens = tokens
        self._folder = var / "git" / quote(served.key, safe="")
        self._reading = threading.Lock()
        self._repo: Repo | None = None
        # By digest and suffix: a file that was once looked into is never looked into again.
        self._notebooks: dict[tuple[str, str], bool] = {}

    def fetch(self, branch: str) -> str:
        """Bring a branch's tip here; gives the commit it is at. Raises NotFound when there is no
        such branch.
        """
        with self._alone() as lock:
            self._fetch(f"refs/heads/{branch}", lock)
            return str(Git(self._folder).rev_parse("--verify", f"refs/heads/{branch}"))

    def bring(self, branch: str, commit: str) -> None:
        """Have a commit here that a branch is at. Raises NotFound when the branch has moved on."""
        if not self._has(commit):
            self.fetch(branch)
        if not self._has(commit):
            raise NotFound(
                "Git", f"{branch} is no longer at {commit[:7]}; there is a newer commit."
            )

    def bring_past(self, branch: str, commit: str) -> None:
        """Have a commit here that a branch was once at. Raises NotFound when it is not among its
        last few hundred.
        """
        if not self._has(commit):
            with self._alone() as lock:
                self._fetch(f"refs/heads/{branch}", lock, depth=_LONGEST_CATCH_UP)
        if not self._has(commit):
            raise NotFound(
                "Git", f"{branch} was not at {commit[:7]} lately; its history was written anew."
            )

    def bring_merge(self, number: int) -> tuple[str, str]:
        """Bring the merge that Azure DevOps tried of a pull request, with both sides of it, those
        of a fork included.

        Gives the merge and its second parent, the source's head it was tried with: after a push or
        a conflict that is an older one. Raises NotFound when there is no merge.
        """
        ref = f"refs/pull/{number}/merge"
        with self._alone() as lock:
            self._fetch(ref, lock, depth=2)
            merge = str(Git(self._folder).rev_parse("--verify", ref))
        sides = self.parents(merge)
        if len(sides) != 2:
            raise NotFound("Git", f"{ref} of {self._served.key} is no merge of two commits.")
        return merge, sides[1]

    def bring_fork(self, number: int, commit: str) -> None:
        """Have the head of a fork's pull request here, by the merge that was tried with it.

        Raises NotFound when that merge was tried with another commit, or never.
        """
        if not self._has(commit) and self.bring_merge(number)[1] != commit:
            raise NotFound(
                "Git", f"Azure DevOps has not tried to merge pull request {number} at {commit[:7]}."
            )

    def parents(self, commit: str) -> tuple[str, ...]:
        """The parents that a fetched commit names, whether they were fetched or not. Raises
        NotFound.
        """
        if not self._has(commit):
            raise NotFound("Git", f"The commit {commit[:7]} was not fetched.")
        header = str(Git(self._folder).cat_file("commit", commit)).partition("\n\n")[0]
        lines = [line for line in header.split("\n") if line.startswith("parent ")]
        return tuple(line.removeprefix("parent ") for line in lines)

    def since(self, branch: str, old: str, tip: str) -> list[str]:
        """The commits that a branch got after `old`, `tip` first; merged ones are one. `tip` was
        fetched before.

        Only `tip` when `old` is not among the last few hundred, as after a force-push.
        """
        git = Git(self._folder)
        if not old or f"\nparent {old}\n" in str(git.cat_file("commit", tip)):
            return [tip]
        with self._alone() as lock:
            self._fetch(f"refs/heads/{branch}", lock, depth=_LONGEST_CATCH_UP)
            listed = git.rev_list("--first-parent", f"--max-count={_LONGEST_CATCH_UP}", tip)
        commits = str(listed).split()
        if old in commits:
            return commits[: commits.index(old)]
        return [tip]

    def read(self, commit: str, path: str) -> bytes | None:
        """A file's content at a fetched commit; None when it is not there or is not a plain
        file. Raises ConfigError when it is too large to be read.
        """
        try:
            file = self._tree(commit) / path
        except KeyError:
            return None
        if not isinstance(file, Blob) or stat.S_ISLNK(file.mode):
            return None
        if file.size > LARGEST_FILE:
            raise ConfigError(
                f"{path} has {file.size:,} bytes; a file that is read here has at most "
                f"{LARGEST_FILE:,}."
            )
        return cast(bytes, file.data_stream.read())

    def files(self, commit: str, folders: tuple[str, ...]) -> tuple[SourceFile, ...]:
        """Every file below some folders of a fetched commit; a folder that is not there has none.
        Raises NotFound, and ConfigError when there are too many.
        """
        if not folders:
            return ()
        files = []
        for line in self._listed(commit, folders):
            described, _, path = line.partition("\t")
            mode, kind, digest, size = described.split()
            if kind == "blob":
                link = stat.S_ISLNK(int(mode, 8))
                files.append(self._source(path, digest, int(size), link=link))
        return tuple(files)

    def _listed(self, commit: str, folders: tuple[str, ...]) -> list[str]:
        """The lines of Git about every file below some folders, read as they come."""
        options = ("--full-tree", "-r", "-l", "-z", "--end-of-options")
        git = Git(self._folder).ls_tree(*options, commit, "--", *folders, as_process=True)
        listed = bytearray()
        files = 0
        while part := git.stdout.read(1024 * 1024):
            listed += part
            files += part.count(b"\0")
            if files > MOST_FILES:
                git.terminate()
                raise ConfigError(
                    f"{', '.join(folders)} at {commit[:7]} hold more than {MOST_FILES:,} files, "
                    "which is more than can be brought to a workspace."
                )
        try:
            git.wait()
        except GitCommandError as error:
            raise NotFound("Git", f"The commit {commit[:7]} was not fetched.") from error
        return [line for line in listed.decode(errors="surrogateescape").split("\0") if line]

    def content(self, digest: str) -> bytes:
        """What a file holds, by the digest that `files` told of it. May be called by several
        threads.
        """
        with self._reading:
            if self._repo is None:
                # Kept whole: one that is collected takes the Git that reads for it along.
                self._repo = Repo(self._folder)
            return cast(bytes, self._repo.odb.stream(bytes.fromhex(digest)).read())

    def _source(self, path: str, digest: str, size: int, *, link: bool) -> SourceFile:
        def first(_: int) -> bytes:
            if link or size > LARGEST_FILE:
                return b""
            return self.content(digest)

        key = (digest, PurePosixPath(path).suffix)
        if key not in self._notebooks:
            self._notebooks[key] = is_notebook(path, first)
        return SourceFile(path, digest, size, notebook=self._notebooks[key], link=link)

    def export(self, commit: str, folder: str, to: Path) -> None:
        """Write a folder of a fetched commit to disk. Links stay links; who reads them decides.

        Raises NotFound when the commit has no such folder, and ProjectError when it holds too many
        files or bytes.
        """
        try:
            tree = self._tree(commit) / folder
        except KeyError:
            raise NotFound("Git", f"{commit[:7]} has no folder {folder}.") from None
        if not isinstance(tree, Tree):
            return
        files = size = 0
        for item in tree.traverse():
            if not isinstance(item, Blob):
                continue
            files += 1
            size += item.size
            if files > MOST_FILES or size > LARGEST_FOLDER:
                raise ProjectError(
                    f"The folder {folder} holds more than {MOST_FILES:,} files or "
                    f"{LARGEST_FOLDER:,} bytes, which no project here may."
                )
            target = to / Path(str(item.path)).relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            if stat.S_ISLNK(item.mode):
                target.symlink_to(_link(item.data_stream.read()))
            else:
                mode = 0o644
                if item.mode & 0o111:
                    mode = 0o755
                target.write_bytes(item.data_stream.read())
                target.chmod(mode)

    def _tree(self, commit: str) -> Tree:
        try:
            return Repo(self._folder).commit(commit).tree
        except (ValueError, OSError) as error:
            raise NotFound("Git", f"The commit {commit[:7]} was not fetched.") from error

    def _has(self, commit: str) -> bool:
        if not (self._folder / "HEAD").exists():
            return False
        try:
            Git(self._folder).cat_file("-e", f"{commit}^{{tree}}")
        except GitCommandError:
            return False
        return True

    def _fetch(self, ref: str, lock: int, depth: int = 1) -> None:
        git = Git(self._folder)
        command = [
            "git",
            "fetch",
            f"--depth={depth}",
            "--no-tags",
            "--no-recurse-submodules",
            "--no-write-fetch-head",
            "--force",
            "--end-of-options",
            self._served.url,
            f"{ref}:{ref}",
        ]
        output = ""
        last: GitCommandError | None = None
        for secret in self._tokens:
            try:
                token = secret.get_secret_value()
                git.execute(
                    command,
                    env=_environment(self._served.organization_url, token),
                    kill_after_timeout=_TIMEOUT,
                    # The lock is held for as long as Git runs, also when we are killed and it is
                    # not.
                    pass_fds=[lock],
                )
                return
            except GitCommandError as error:
                last = error
                output = str(error.stderr)
        sentence = " ".join(output.replace("stderr:", "").strip(" '\n").split())
        if "couldn't find remote ref" in sentence:
            raise NotFound("Git", f"{self._served.key} has no {_named(ref)} any more.")
        raise ServiceError(
            "Git", f"{self._served.url} could not be fetched: {sentence[:300]}"
        ) from last

    @contextmanager
    def _alone(self) -> Iterator[int]:
        """The mirror for ourselves; gives the descriptor that says so."""
        # Two shallow fetches at once fight over Git's own shallow.lock and one of them fails.
        self._folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._folder.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (self._folder / "HEAD").exists():
                Repo.init(self._folder, bare=True, initial_branch="signalman-none")
            for left in self._folder.rglob("*.lock"):
                # Of a Git that was killed: none runs here now, and the next would stop at it for
                # ever.
                left.unlink()
            yield lock.fileno()


def _link(named: bytes) -> str:
    """What a link is made to name, which nobody follows: any bytes, as far as a system takes
    them.
    """
    return os.fsdecode(named[:_LONGEST_LINK].replace(b"\0", b"?") or b"?")


def _named(ref: str) -> str:
    if ref.startswith("refs/heads/"):
        return f"branch {ref.removeprefix('refs/heads/')}"
    return ref


def _environment(organization_url: str, token: str) -> dict[str, str]:
    header = base64.b64encode(f":{token}".encode()).decode()
    entries = {
        f"http.{organization_url}/.extraHeader": f"Authorization: Basic {header}",
        "http.followRedirects": "false",
        "credential.helper": "",
        "core.hooksPath": os.devnull,
        "core.fsmonitor": "false",
        # What cleans up afterwards must not outlive the fetch.
        "gc.autoDetach": "false",
        "maintenance.autoDetach": "false",
        # A Git whose worker was killed has nobody else to give it up (bytes a second, seconds).
        "http.lowSpeedLimit": "1",
        "http.lowSpeedTime": f"{_TIMEOUT:.0f}",
        "protocol.allow": "never",
        "protocol.http.allow": "always",
        "protocol.https.allow": "always",
        "transfer.fsckObjects": "true",
    }
    environment = {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_COUNT": str(len(entries)),
    }
    for number, (key, value) in enumerate(entries.items()):
        environment[f"GIT_CONFIG_KEY_{number}"] = key
        environment[f"GIT_CONFIG_VALUE_{number}"] = value
    return environment

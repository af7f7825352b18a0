"""Property bags of threads, statuses and pull requests: written loosely, read back typed.

Byte[], Int32, Double, DateTime and String keep their type, everything else
becomes a String (PropertiesCollection in Microsoft's git.json).
"""

import uuid
from collections.abc import Mapping
from typing import Any

from sandbox.azure_devops.refusal import Refusal

Bag = dict[str, dict[str, Any]]
KEPT = {"System.Byte[]", "System.Int32", "System.Double", "System.DateTime", "System.String"}
INT32 = range(-(2**31), 2**31)


def typed(value: Any) -> dict[str, Any]:
    """One value as the service answers it: `{"$type": …, "$value": …}`."""
    if isinstance(value, Mapping):
        inner = value.get("$value", value.get("value"))
        kind = value.get("$type", value.get("type"))
        if kind in KEPT:
            return {"$type": kind, "$value": inner}
        if kind == "System.Guid":
            return {"$type": "System.String", "$value": uuid.UUID(str(inner)).hex}
        return typed(inner)
    if isinstance(value, bool):
        return {"$type": "System.String", "$value": str(value)}
    if isinstance(value, int) and value in INT32:
        return {"$type": "System.Int32", "$value": value}
    if isinstance(value, float):
        return {"$type": "System.Double", "$value": value}
    return {"$type": "System.String", "$value": str(value)}


def bag(properties: Mapping[str, Any] | None) -> Bag:
    """A whole bag, typed; properties without a value are left out."""
    return {name: typed(value) for name, value in (properties or {}).items() if value is not None}


def patched(old: Bag, operations: Any) -> Bag:
    """The bag after a json-patch document; only whole properties are added, replaced or removed."""
    new = dict(old)
    if not isinstance(operations, list):
        raise Refusal(
            400,
            "PropertiesCollectionPatchException",
            "The properties could not be patched: no list of operations.",
        )
    for operation in operations:
        name = (
            str(operation.get("path", "")).removeprefix("/").replace("~1", "/").replace("~0", "~")
        )
        action = str(operation.get("op", "")).lower()
        if action in ("add", "replace") and name:
            new[name] = typed(operation.get("value"))
        elif action == "remove" and name in new:
            del new[name]
        else:
            raise Refusal(
                400,
                "PropertiesCollectionPatchException",
                f"The properties could not be patched: operation '{action}' on '/{name}' is not "
                "possible.",
            )
    return new

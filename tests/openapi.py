"""Validates REST exchanges against Microsoft's OpenAPI (Swagger 2.0) documents of Azure DevOps.

The documents are looked for in `../shared/specs/azure_devops` beside the project;
where they are not, `MISSING` says so and tests that need them are skipped.

Stricter than the documents in one point: a property they do not know is a
problem, so that a misspelt name shows. Looser only in the points of `ALLOWANCES`,
each with the reason.
"""

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote

import jsonschema

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "specs" / "azure_devops"
MISSING = (
    None
    if (FOLDER / "git.json").exists()
    else f"Microsoft's OpenAPI documents are not at {FOLDER}; get them from MicrosoftDocs/vsts-rest-api-specs (7.1)."  # noqa: E501 a table, or a text as it is sent
)

ALLOWANCES = {
    "null": "Any property may be null: the documents' own samples answer `threadContext: null`.",
    "collection": "An array is answered as {count, value}: VssJsonCollectionWrapper, which the "
    "documents define "
    "and name nowhere.",
    "links": "ReferenceLinks holds the links themselves, not a `links` member: every sample does.",
    "properties": "PropertiesCollection is a map from name to value, or {count, value} when it is "
    "the whole answer: "
    "every sample does; its described members are those of the .NET class.",
    "generic": "`string` with format T or JObject is any JSON: the generator could not write a "
    ".NET generic.",
    "byte": "`probationRetries` is a number: recorded in "
    "rest_list_hook_subscriptions_on_probation.json.",
    "flags": "changeType is a set of flags joined by a comma, such as `edit, rename`: "
    "VersionControlChangeType is a "
    ".NET flags enumeration (reference §4.6).",
    "numbers": "In requests an enumeration may be its number: the documents' samples send `status: "
    "1`.",
    "any case": "In requests and queries an enumeration is read in any case (.NET enumerations).",
    "patch value": "JsonPatchOperation.value is any JSON: its own description says primitive or "
    "JToken.",
    "created": "POST pullrequests may answer 201: observed on a live organisation "
    "(lossyrob/phased-agent-workflow#313); the document lists 200.",
    "no content": "DELETE of a subscription may answer 204 (reference §4.8); the document lists "
    "200.",
    "errors": "Answers of 400 and above, and the 203 sign-in page, are described nowhere; errors "
    "are held to the "
    "shape every recorded one has.",
    "organization level": "`project` may be left out of a path where the document says "
    "x-ms-required: false.",
    "undocumented": "connectionData belongs to the Location service, and the members of a team to "
    "the Core service, "
    "whose documents are not at hand.",
}
MORE_STATUSES = {"Pull Requests_Create": {201}, "Subscriptions_Delete": {204}}
UNDOCUMENTED = re.compile(r"/_apis/(connectionData|projects/[^/]+/teams/[^/]+/members)$")
OPEN = {"ReferenceLinks", "PropertiesCollection", "JObject", "JToken"}
ERROR_KEYS = {"$id", "innerException", "message", "typeName", "typeKey", "errorCode", "eventId"}
DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?(Z|[+-]\d\d:\d\d)?")

Json = dict[str, Any]


class Seen(Protocol):
    """A REST exchange, as the stand-in tells its observers."""

    method: str
    path: str
    query: Mapping[str, str]
    request_headers: Mapping[str, str]
    request_body: bytes
    status: int
    response_headers: Mapping[str, str]
    response_body: bytes


@dataclass
class Operation:
    """An operation of one document, and where in the path its parameters stand."""

    document: "Document"
    method: str
    description: Json
    path: Mapping[str, str]

    @property
    def name(self) -> str:
        """Its operationId."""
        return str(self.description["operationId"])

    @cached_property
    def parameters(self) -> list[Json]:
        """Its parameters, references resolved."""
        return [self.document.resolved(each) for each in self.description.get("parameters", [])]


@dataclass
class Document:
    """One Swagger document, with its definitions made into closed JSON schemas."""

    content: Json
    _schemas: dict[bool, Json] = field(default_factory=dict)

    def resolved(self, node: Json) -> Json:
        """What a `$ref` points at, or the node itself."""
        while "$ref" in node:
            found: Any = self.content
            for part in node["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            node = found
        return node

    def operations(self, method: str, path: str) -> list[Operation]:
        """The operations whose template the path fits; those with a required query first."""
        segments = [unquote(part) for part in path.strip("/").split("/")]
        found = []
        for templates in (self.content.get("x-ms-paths", {}), self.content["paths"]):
            for template, methods in templates.items():
                description = methods.get(method.lower())
                for shape in _shapes(template, description):
                    values = _fitted(shape, segments)
                    if description is not None and values is not None:
                        found.append(Operation(self, method, description, values))
        return found

    def validator(self, schema: Json, *, request: bool) -> jsonschema.Draft7Validator:
        """A validator for a schema of this document."""
        if request not in self._schemas:
            definitions = self.content["definitions"]
            self._schemas[request] = {name: self._definition(name, request) for name in definitions}
        whole = {"definitions": self._schemas[request], "allOf": [_closed(schema, request)]}
        return jsonschema.Draft7Validator(whole, format_checker=_FORMATS)

    def _definition(self, name: str, request: bool) -> Json:
        definition = self.content["definitions"][name]
        if name in OPEN:
            return {}
        if any("$ref" not in base for base in definition.get("allOf", [])):
            return {"allOf": [_closed(base, request) for base in definition["allOf"]]}
        properties = self._properties(name)
        if not properties:
            return _closed(definition, request)
        closed = {key: _closed(value, request, key) for key, value in properties.items()}
        return {"type": "object", "properties": closed, "additionalProperties": False}

    def _properties(self, name: str) -> Json:
        definition = self.content["definitions"][name]
        inherited: Json = {}
        for base in definition.get("allOf", []):
            inherited |= self._properties(base["$ref"].rsplit("/", 1)[-1])
        return inherited | definition.get("properties", {})


@dataclass
class OpenApi:
    """All documents together."""

    documents: list[Document]

    @classmethod
    def load(cls, folder: Path = FOLDER) -> "OpenApi":
        """Read every document of a folder."""
        files = sorted(folder.glob("*.json"))
        return cls([Document(json.loads(file.read_text(encoding="utf-8-sig"))) for file in files])

    def operation(self, method: str, path: str, query: Mapping[str, str]) -> Operation | None:
        """The operation a request is for, or None when no document has it."""
        found = [each for document in self.documents for each in document.operations(method, path)]
        for each in found:
            needed = {
                one["name"]
                for one in each.parameters
                if one["in"] == "query" and one.get("required")
            }
            if needed <= set(query) | {"api-version"}:
                return each
        return found[0] if found else None

    def request_problems(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes,
    ) -> list[str]:
        """What is wrong with a request, as sentences; nothing when it is as documented."""
        where = f"{method} {path}"
        if UNDOCUMENTED.search(path):
            return []
        operation = self.operation(method, path, query)
        if operation is None:
            return [f"{where}: no document has this operation."]
        where += f" ({operation.name})"
        problems = [f"{where}: {each}" for each in _parameter_problems(operation, query)]
        wanted = next((each for each in operation.parameters if each["in"] == "body"), None)
        if wanted is None:
            return problems + ([f"{where}: takes no body."] if body.strip() else [])
        sent = _header(headers, "content-type").split(";")[0].strip().lower()
        if sent not in operation.description.get("consumes", []):
            return [
                *problems,
                f"{where}: content type '{sent}' is not {operation.description.get('consumes')}.",
            ]
        if "json" in sent:
            problems += _body_problems(operation, wanted["schema"], body, where, request=True)
        return problems

    def response_problems(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        status: int,
        headers: Mapping[str, str],
        body: bytes,
    ) -> list[str]:
        """What is wrong with an answer, as sentences; nothing when it is as documented."""
        where = f"{method} {path} -> {status}"
        if status == 203:
            return []
        if status >= 400:
            return _error_problems(body, where)
        operation = self.operation(method, path, query)
        if operation is None:
            return (
                [] if UNDOCUMENTED.search(path) else [f"{where}: no document has this operation."]
            )
        where += f" ({operation.name})"
        responses = operation.description["responses"]
        if str(status) not in responses and status not in MORE_STATUSES.get(operation.name, set()):
            return [f"{where}: the document lists {', '.join(responses)}."]
        schema = (responses.get(str(status)) or next(iter(responses.values()))).get("schema")
        if schema is None or status == 204:
            return [f"{where}: there must be no body."] if body else []
        kind = _header(headers, "content-type").split(";")[0].strip().lower()
        if kind == "application/json":
            if schema.get("type") == "array":
                return _collection_problems(operation, schema, body, where)
            return _body_problems(operation, schema, body, where, request=False)
        listed = operation.description.get("produces", [])
        return [] if kind in listed else [f"{where}: content type '{kind}' is not one of {listed}."]


@dataclass
class Watch:
    """An observer of the stand-in that keeps every problem it sees, and which operations it saw.

    A request that the service refused is not held against its caller here.
    """

    documents: OpenApi
    problems: list[str] = field(default_factory=list)
    operations: set[str] = field(default_factory=set)

    def __call__(self, seen: Seen) -> None:
        """Judge one exchange."""
        if seen.status < 400 and seen.status != 203:
            if operation := self.documents.operation(seen.method, seen.path, seen.query):
                self.operations.add(operation.name)
            self.problems += self.documents.request_problems(
                seen.method, seen.path, seen.query, seen.request_headers, seen.request_body
            )
        self.problems += self.documents.response_problems(
            seen.method,
            seen.path,
            seen.query,
            seen.status,
            seen.response_headers,
            seen.response_body,
        )


def _shapes(template: str, description: Json | None) -> list[list[str]]:
    segments = template.split("?", 1)[0].strip("/").split("/")
    shapes = [segments]
    for parameter in (description or {}).get("parameters", []):
        if parameter.get("name") == "project" and parameter.get("x-ms-required") is False:
            shapes.append([part for part in segments if part != "{project}"])
    return shapes


def _fitted(shape: Sequence[str], segments: Sequence[str]) -> dict[str, str] | None:
    if len(shape) != len(segments):
        return None
    values = {}
    for wanted, found in zip(shape, segments, strict=True):
        if wanted.startswith("{"):
            values[wanted.strip("{}")] = found
        elif wanted.lower() != found.lower():
            return None
    return values


def _parameter_problems(operation: Operation, query: Mapping[str, str]) -> list[str]:
    problems = []
    known = {each["name"]: each for each in operation.parameters if each["in"] == "query"}
    for name in query:
        if name not in known:
            problems.append(f"there is no query parameter '{name}'.")
    for name, description in known.items():
        if name not in query:
            if description.get("required"):
                problems.append(f"the query parameter '{name}' is missing.")
        elif name == "api-version":
            wanted = re.search(r"'([^']+)'", description["description"])
            if wanted and query[name] != wanted[1]:
                problems.append(
                    f"api-version is '{query[name]}', the document is about {wanted[1]}."
                )
        elif not _possible(description, query[name]):
            problems.append(f"'{query[name]}' is not possible for the query parameter '{name}'.")
    for description in operation.parameters:
        value = operation.path.get(description["name"])
        if description["in"] == "path" and value is not None and not _possible(description, value):
            problems.append(f"'{value}' is not possible for '{description['name']}' in the path.")
    return problems


def _possible(description: Json, text: str) -> bool:
    if description.get("enum"):
        return text.lower() in {str(each).lower() for each in description["enum"]}
    if description.get("type") == "integer":
        return re.fullmatch(r"-?\d+", text) is not None
    if description.get("type") == "boolean":
        return text.lower() in ("true", "false")
    if description.get("format") == "uuid":
        return _is_uuid(text)
    if description.get("format") == "date-time":
        return DATE_TIME.fullmatch(text) is not None
    return True


def _body_problems(
    operation: Operation, schema: Json, body: bytes, where: str, *, request: bool
) -> list[str]:
    try:
        value = json.loads(body)
    except ValueError:
        return [f"{where}: the body is not JSON."]
    errors = operation.document.validator(schema, request=request).iter_errors(value)
    return [_told(where, _innermost(each)) for each in errors]


def _told(where: str, error: jsonschema.ValidationError) -> str:
    return f"{where}: at /{'/'.join(map(str, error.absolute_path))}: {error.message[:300]}"


def _innermost(error: jsonschema.ValidationError) -> jsonschema.ValidationError:
    """The error inside an "any of", past the branch that only allows null."""
    while error.context:
        error = max(
            error.context,
            key=lambda each: (
                len(each.absolute_path),
                each.validator != "type",
                bool(each.context),
            ),
        )
    return error


def _collection_problems(operation: Operation, schema: Json, body: bytes, where: str) -> list[str]:
    try:
        value = json.loads(body)
    except ValueError:
        return [f"{where}: the body is not JSON."]
    if (
        not isinstance(value, dict)
        or set(value) != {"count", "value"}
        or value["count"] != len(value["value"])
    ):
        return [f"{where}: a collection is answered as count and value, and the count is right."]
    return _body_problems(
        operation, schema, json.dumps(value["value"]).encode(), where, request=False
    )


def _error_problems(body: bytes, where: str) -> list[str]:
    try:
        value = json.loads(body)
    except ValueError:
        return [f"{where}: an error has a JSON body."]
    missing = ERROR_KEYS - set(value)
    return [f"{where}: the error lacks {', '.join(sorted(missing))}."] if missing else []


def _closed(schema: Json, request: bool, name: str = "") -> Json:
    """A Swagger schema as JSON Schema, with the allowances."""
    if "$ref" in schema:
        reference = {"$ref": schema["$ref"]}
        return {"anyOf": [reference, {"type": "null"}]}
    if schema.get("format") in ("T", "JObject") or name == "value":
        return {}
    if schema.get("format") == "byte":
        return {"type": ["integer", "null"]}
    if schema.get("enum"):
        return _enumeration(
            [str(each) for each in schema["enum"]], request, flags=name == "changeType"
        )
    kind, made = schema.get("type"), dict[str, Any]()
    if kind:
        made["type"] = [kind, "null"]
    if "items" in schema:
        made["items"] = _closed(schema["items"], request)
    if "additionalProperties" in schema:
        made["additionalProperties"] = _closed(schema["additionalProperties"], request)
    if "properties" in schema:
        made["properties"] = {
            key: _closed(value, request, key) for key, value in schema["properties"].items()
        }
    if schema.get("format") in ("uuid", "date-time"):
        made["format"] = schema["format"]
    if schema.get("format") == "int32":
        made |= {"minimum": -(2**31), "maximum": 2**31 - 1}
    return made


def _enumeration(names: list[str], request: bool, *, flags: bool) -> Json:
    one = "|".join(map(re.escape, names))
    if request:
        any_case = "|".join(
            "".join(f"[{c.lower()}{c.upper()}]" if c.isalpha() else c for c in each)
            for each in names
        )
        return {
            "anyOf": [
                {"type": "string", "pattern": f"^({any_case})$"},
                {"type": ["integer", "null"]},
            ]
        }
    pattern = f"^({one})(, ({one}))*$" if flags else f"^({one})$"
    return {"anyOf": [{"type": "string", "pattern": pattern}, {"type": "null"}]}


def _header(headers: Mapping[str, str], name: str) -> str:
    return next((value for key, value in headers.items() if key.lower() == name), "")


def _is_uuid(text: str) -> bool:
    try:
        return bool(uuid.UUID(text))
    except ValueError:
        return False


_FORMATS = jsonschema.FormatChecker(formats=())


@_FORMATS.checks("uuid")
def _uuid_format(value: object) -> bool:
    return not isinstance(value, str) or _is_uuid(value)


@_FORMATS.checks("date-time")
def _date_time_format(value: object) -> bool:
    return not isinstance(value, str) or DATE_TIME.fullmatch(value) is not None

"""The files of runs and of registered versions: which there are, and what is in them.

MLflow's own repositories of artifacts find their server and their credentials
in the process's environment, so the calls they make are made here, with the
credentials given: an MLflow server hands files out itself, a Databricks
workspace by addresses in cloud storage that are signed for a while
(mlflow/store/artifact/databricks_artifact_repo.py). Such an address is a
secret: it is in no message, and the bot's token is never sent to it.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from mlflow.utils.rest_utils import MlflowHostCreds, http_request, verify_rest_response

from bot.errors import NotFound, ServiceError

MOST_LISTINGS, DEEPEST, MOST_PICTURES = 20, 4, 50
"""How many calls a search for pictures may take, how many folders below each other it enters, and
what it stops at.
"""

_SECONDS = 30.0
_PIECE = 64 * 1024
_TIMEOUT = (5.0, 15.0)

# Where workspaces keep files:
# https://learn.microsoft.com/azure/storage/common/storage-account-overview,
# https://docs.aws.amazon.com/general/latest/gr/s3.html,
# https://cloud.google.com/storage/docs/request-endpoints
_AZURE = ("windows.net", "storage.azure.net", "usgovcloudapi.net", "chinacloudapi.cn")
_AWS = ("amazonaws.com", "amazonaws.com.cn")
_GOOGLE = "storage.googleapis.com"


def ask(
    credentials: MlflowHostCreds, method: str, endpoint: str, parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """Make a call that answers with an object. Raises what MLflow raises of a refusal."""
    if method == "GET":
        sent = {"params": parameters}
    else:
        sent = {"json": parameters}
    response = http_request(credentials, endpoint, method, allow_redirects=False, **sent)
    answer = verify_rest_response(response, endpoint).json()
    if isinstance(answer, dict):
        return answer
    return {}


class Artifacts:
    """Files at one MLflow server, or at one Databricks workspace. `credentials` are asked for each
    call.
    """

    def __init__(self, credentials: Callable[[], MlflowHostCreds], *, workspace: bool) -> None:
        self._credentials = credentials
        self._workspace = workspace

    def pictures(self, run: str, most_bytes: int) -> list[str]:
        """The paths of a run's PNG files of at most so many bytes, those of upper folders first."""
        pictures: list[str] = []
        folders = deque([("", 0)])
        calls = 0
        while folders and calls < MOST_LISTINGS and len(pictures) < MOST_PICTURES:
            folder, depth = folders.popleft()
            token = ""
            while calls < MOST_LISTINGS:
                calls += 1
                page = self._listed(run, folder, token)
                for file in sorted(page.get("files") or (), key=lambda file: str(file.get("path"))):
                    path = str(file.get("path") or "")
                    if file.get("is_dir"):
                        # A server lists what is directly in a folder; one that does not must not
                        # lead in circles.
                        if depth < DEEPEST and len(path) > len(folder):
                            folders.append((path, depth + 1))
                    elif _is_picture(path) and int(file.get("file_size") or 0) <= most_bytes:
                        pictures.append(path)
                token = str(page.get("next_page_token") or "")
                if not token:
                    break
        return pictures[:MOST_PICTURES]

    def _listed(self, run: str, folder: str, token: str) -> dict[str, Any]:
        query = {"run_id": run}
        if folder:
            query["path"] = folder
        if token:
            query["page_token"] = token
        return self._ask("GET", "artifacts/list", query)

    def of_run(self, run: str, path: str, most_bytes: int) -> bytes:
        """A file of a run. Raises ServiceError where it has more bytes."""
        if not self._workspace:
            return self._handed_out("/get-artifact", {"run_id": run, "path": path}, most_bytes)
        of_file = {"run_id": run, "path": [path]}
        answer = self._ask("POST", "artifacts/credentials-for-read", of_file)
        signed: dict[str, Any] = next(iter(answer.get("credential_infos") or ()), {})
        return self._stored(signed, path, most_bytes)

    def of_version(self, name: str, version: str, path: str, most_bytes: int) -> bytes:
        """A file of a registered version. Raises ServiceError where it has more bytes."""
        of_file = {"name": name, "version": version, "path": path}
        if not self._workspace:
            return self._handed_out("/model-versions/get-artifact", of_file, most_bytes)
        signed = self._ask("GET", "model-versions/get-signed-download-uri", of_file)
        return self._stored(signed, path, most_bytes)

    def _ask(self, method: str, what: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        return ask(self._credentials(), method, f"/api/2.0/mlflow/{what}", parameters)

    def _handed_out(self, endpoint: str, query: Mapping[str, str], most_bytes: int) -> bytes:
        with http_request(
            self._credentials(),
            endpoint,
            "GET",
            params=query,
            stream=True,
            allow_redirects=False,
            extra_headers={"Accept-Encoding": "identity"},
        ) as response:
            if response.status_code != 200:
                _refused(response, query["path"])
            return _read(response, most_bytes, query["path"])

    def _stored(self, signed: Mapping[str, Any], path: str, most_bytes: int) -> bytes:
        address = str(signed.get("signed_uri") or "")
        if not self.trusted(address):
            host = urlsplit(address).hostname or "nowhere"
            raise ServiceError(
                "MLflow",
                f"MLflow keeps {path} at {host[:100]}, which is no storage of Azure, AWS or Google "
                "Cloud.",
            )
        headers = {"Accept-Encoding": "identity"}
        for header in signed.get("headers") or ():
            headers[str(header.get("name"))] = str(header.get("value"))
        try:
            with requests.get(
                address,
                headers=headers,
                # Without this, requests would send what ~/.netrc says of the host.
                auth=lambda request: request,
                timeout=_TIMEOUT,
                allow_redirects=False,
                stream=True,
            ) as response:
                if response.status_code != 200:
                    _refused(response, path)
                return _read(response, most_bytes, path)
        except requests.RequestException as error:
            # Its text holds the address.
            raise ServiceError(
                "MLflow", f"The storage of {path} could not be reached: {type(error).__name__}."
            ) from None

    def trusted(self, address: str) -> bool:
        """Whether the bot may go there: to the workspace that was configured itself, or to cloud
        storage.
        """
        try:
            there = urlsplit(address)
            own = urlsplit(self._credentials().host)
            if there.username is not None or there.password is not None:
                return False
            if (there.scheme, there.hostname, there.port) == (own.scheme, own.hostname, own.port):
                return True
            if there.scheme != "https" or there.port not in (None, 443):
                return False
            return _storage(there.hostname or "")
        except ValueError:
            return False


def _is_picture(path: str) -> bool:
    return path.lower().endswith(".png")


def _storage(host: str) -> bool:
    labels = host.lower().split(".")
    below = {".".join(labels[start:]) for start in range(1, len(labels))}
    if below.intersection(_AZURE):
        return bool({"blob", "dfs"}.intersection(labels[1:]))
    if below.intersection(_AWS):
        return any(label == "s3" or label.startswith("s3-") for label in labels)
    return host.lower() == _GOOGLE or _GOOGLE in below


def _refused(response: requests.Response, path: str) -> None:
    if response.status_code == 404:
        raise NotFound("MLflow", f"MLflow does not have {path}.", status=404)
    raise ServiceError(
        "MLflow", f"MLflow answered {response.status_code} for {path}.", status=response.status_code
    )


def _read(response: requests.Response, most_bytes: int, path: str) -> bytes:
    content = bytearray()
    for piece in _pieces(response, path):
        content += piece
        if len(content) > most_bytes:
            raise ServiceError("MLflow", f"{path} has more than {most_bytes} bytes.", status=413)
    return bytes(content)


def _pieces(response: requests.Response, path: str) -> Iterator[bytes]:
    until = time.monotonic() + _SECONDS
    try:
        for piece in response.iter_content(_PIECE):
            if time.monotonic() > until:
                raise ServiceError("MLflow", f"{path} was not read within {_SECONDS:.0f} s.")
            yield piece
    except requests.RequestException as error:
        raise ServiceError("MLflow", f"{path} could not be read: {type(error).__name__}.") from None

"""Which call goes where, besides MLflow's; and the few answers about the workspace and its
users.
"""

import uuid
from collections.abc import Callable
from typing import Any

from sandbox.databricks.jobs import JobsApi
from sandbox.databricks.runs_api import RunsApi
from sandbox.databricks.wire import Call, Handler
from sandbox.databricks.workspace import WorkspaceApi

WORKSPACE_ID = "900800700600"
ACCOUNT_ID = "0c2b3f6e-7d41-4a55-9a0f-2f6f0e2b7c11"


class Identity:
    """Answers what clients ask before anything else: which workspace is this, and who am I."""

    def __init__(self, url: Callable[[], str]) -> None:
        self._url = url

    def host_metadata(self, _: Call) -> dict[str, Any]:
        """`/.well-known/databricks-config`, which databricks-sdk reads when a client is made."""
        oidc = f"{self._url()}/oidc"
        return {
            "oidc_endpoint": oidc,
            "account_id": ACCOUNT_ID,
            "workspace_id": WORKSPACE_ID,
            "cloud": "AZURE",
        }

    def login_endpoints(self, _: Call) -> dict[str, Any]:
        """Where OAuth would begin; tokens are all this workspace knows."""
        below = f"{self._url()}/oidc/v1"
        return {"authorization_endpoint": f"{below}/authorize", "token_endpoint": f"{below}/token"}

    def me(self, call: Call) -> dict[str, Any]:
        """The caller, as SCIM describes a user."""
        return {
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "id": str(uuid.uuid5(uuid.NAMESPACE_OID, call.user).int % 10**16),
            "userName": call.user,
            "displayName": call.user.partition("@")[0],
            "active": True,
            "emails": [{"type": "work", "value": call.user, "primary": True}],
            "groups": [{"display": "admins", "value": "1", "type": "direct"}],
        }


def table(
    workspace: WorkspaceApi, jobs: JobsApi, runs: RunsApi, identity: Identity
) -> dict[tuple[str, str], Handler]:
    """All handlers by method and path."""
    found: dict[tuple[str, str], Handler] = {
        ("GET", "/.well-known/databricks-config"): identity.host_metadata,
        ("GET", "/oidc/.well-known/oauth-authorization-server"): identity.login_endpoints,
        ("GET", "/api/2.0/preview/scim/v2/Me"): identity.me,
        ("GET", "/api/2.0/workspace/get-status"): workspace.get_status,
        ("GET", "/api/2.0/workspace/list"): workspace.list,
        ("GET", "/api/2.0/workspace/export"): workspace.export,
        ("POST", "/api/2.0/workspace/import"): workspace.put,
        ("POST", "/api/2.0/workspace/delete"): workspace.delete,
        ("POST", "/api/2.0/workspace/mkdirs"): workspace.make_directories,
    }
    for version in ("2.0", "2.1", "2.2"):
        below = f"/api/{version}/jobs"
        found |= {
            ("POST", f"{below}/create"): jobs.create,
            ("GET", f"{below}/get"): jobs.get,
            ("GET", f"{below}/list"): jobs.list,
            ("POST", f"{below}/update"): jobs.update,
            ("POST", f"{below}/reset"): jobs.reset,
            ("POST", f"{below}/delete"): jobs.delete,
            ("POST", f"{below}/run-now"): runs.run_now,
            ("POST", f"{below}/runs/submit"): runs.submit,
            ("GET", f"{below}/runs/get"): runs.get_run,
            ("GET", f"{below}/runs/get-output"): runs.get_output,
            ("GET", f"{below}/runs/list"): runs.list_runs,
            ("POST", f"{below}/runs/cancel"): runs.cancel,
            ("POST", f"{below}/runs/cancel-all"): runs.cancel_all,
            ("POST", f"{below}/runs/delete"): runs.delete_run,
        }
    return found

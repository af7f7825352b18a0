"""REST: the teams of the project and who is in them."""

from sandbox.azure_devops import shapes
from sandbox.azure_devops.calls import Answer, Call, Routes, listed
from sandbox.azure_devops.refusal import Refusal

routes = Routes()
CORE = "Microsoft.TeamFoundation.Core.WebApi"
LARGEST_PAGE = 100


@routes("GET", "projects/{projectId}/teams/{teamId}/members", scope="organization")
def members(call: Call) -> Answer:
    """Who is in a team, in pages of `$top` after `$skip`; project and team go by name or id.

    https://learn.microsoft.com/rest/api/azure/devops/core/teams/get-team-members-with-extended-properties
    """
    world, project, wanted = call.world, call.path["projectId"], call.path["teamId"]
    if project.lower() not in (world.project.lower(), world.project_id):
        raise Refusal(
            404,
            "ProjectDoesNotExistWithNameException",
            f"TF200016: The following project does not exist: {project}. Verify that the name of "
            "the project is correct and that the project exists on the specified Azure DevOps "
            "Server.",
            area=CORE,
        )
    for name, people in world.teams.items():
        if wanted.lower() in (name.lower(), shapes.team_id(world, name)):
            skip = call.asked_number("$skip", default=0)
            top = min(call.asked_number("$top", default=LARGEST_PAGE), LARGEST_PAGE)
            return listed(
                [{"identity": shapes.person(world, who)} for who in people[skip : skip + top]]
            )
    raise Refusal(
        404,
        "TeamNotFoundException",
        f"The team with id '{wanted}' does not exist, or you do not have permission to access it.",
        area=CORE,
    )

"""Where the bot's own pages are; empty without an address of the bot's own."""

from urllib.parse import quote


def pull_request(pages: str, repository: str, number: int) -> str:
    """The page with all runs of a pull request."""
    if pages:
        return f"{pages}/pull-requests/{quote(repository, errors='replace')}/{number}"
    return ""


def run(pages: str, token: str) -> str:
    """The page with the whole log of a run."""
    if pages:
        return f"{pages}/runs/{quote(token, safe='')}"
    return ""

"""Where the bot's own pages are; empty without an address of the bot's own."""

from urllib.parse import quote


def pull_request(pages: str, repository: str, number: int) -> str:
    """The page with all runs of a pull request."""
    return f"{pages}/pull-requests/{quote(repository, errors='replace')}/{number}" if pages else ""


def run(pages: str, token: str) -> str:
    """The page with the whole log of a run."""
    return f"{pages}/runs/{quote(token, safe='')}" if pages else ""

"""A stand-in for Azure DevOps: REST, a real git repository over HTTP, service hooks, pages to look
at.

It follows Microsoft's documents and recorded traffic, not the bot. It keeps
everything but the git repository in memory.
"""

from sandbox.azure_devops.calls import Exchange
from sandbox.azure_devops.refusal import Refusal
from sandbox.azure_devops.server import AzureDevOps

__all__ = ["AzureDevOps", "Exchange", "Refusal"]

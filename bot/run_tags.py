"""The tags by which MLflow remembers what the bot's runs, experiments and versions are about.

They are all the memory there is: whoever loses the memo of a subject finds its runs by them.
Their names are seen outside and stay as they are.
"""

TOKEN, REPOSITORY, PULL_REQUEST = (
    "signalman.token",
    "signalman.repository",
    "signalman.pull_request",
)
COMMIT, ITERATION = "signalman.commit", "signalman.iteration"
PROJECT, MODEL = "signalman.project", "signalman.model"
BACKEND, CLUSTER_RUN = "signalman.backend", "signalman.cluster_run"

WITHDRAWN = "signalman.withdrawn"
"""On a run that the bot itself stopped, so that it says nothing of the change."""

CLOSED = "signalman.closed"
"""On a run whose status the bot made the true one; its value is that status."""

KIND, RETRAINING, SMOKE, MERGED = "signalman.kind", "retraining", "smoke", "merged"
"""What a run is for, if not to validate a pull request: two kinds of runs, and records of merges.
"""

COMMAND = "signalman.command"
"""On a run made in the production workspace: the key of the subject that owns it."""

JOB, VERSION = "signalman.job", "signalman.version"
"""On a smoke run: the scoring job it is made for, and the number of the version that it tries."""

STATE, OPEN, ARCHIVED = "signalman.state", "open", "archived"
"""On an experiment that a pull request uses, beside repository and pull request: whether it was
tidied.
"""

SOURCE_RUN = "signalman.source_run"
"""On the record of a merge: the run that it is about."""

RECORDED = "signalman.recorded"
"""On the experiment of a pull request: the iteration whose runs were recorded when it was merged.
"""

VERSION_ARCHIVED = "signalman.archived"
"""On a model version that was archived once: who brings it back is not contradicted."""

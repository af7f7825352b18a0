"""How many examples a property is shown. The profile says it, and a test that wants more or fewer
gets its share.
"""

from hypothesis import settings


def percent(share: int) -> int:
    """So many percent of the examples that every property is shown; at least one."""
    return max(1, settings.default.max_examples * share // 100)

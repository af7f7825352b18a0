"""What senders write, read into the name of a subject.

Pure: headers and bytes in; a Delivery, an Ignored or a RefusedHook out. An event
says *look*, never *what*: nothing else of a body is believed, and no address in it
is ever called.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ignored:
    """A genuine webhook that makes nothing due. `reason` is a sentence for the person who set it
    up.
    """

    reason: str

"""Trouble on demand: refusals, throttling and lost answers, for whoever wants to see what a client
does then.
"""

import threading
from dataclasses import dataclass


@dataclass
class Fault:
    """What goes wrong with the next calls that match. `lose_answer` carries the call out and cuts
    the line.
    """

    status: int
    method: str | None
    path: str
    times: int
    retry_after: float | None
    lose_answer: bool


class Faults:
    """The faults that are set; each is used up after its number of times."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._set: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Set a fault, after those already set."""
        with self._lock:
            self._set.append(fault)

    def clear(self) -> None:
        """Take all faults back."""
        with self._lock:
            self._set.clear()

    def next_for(self, method: str, path: str) -> Fault | None:
        """The fault that meets this call, or None; it has then been used once."""
        with self._lock:
            for fault in self._set:
                if fault.method in (None, method) and fault.path.lower() in path.lower():
                    fault.times -= 1
                    if fault.times <= 0:
                        self._set.remove(fault)
                    return fault
        return None

"""What happened when, line by line, in a file that is read when something was found."""

import json
import threading
import time
from pathlib import Path


class Diary:
    """Writes down events with the seconds since the storm began. May be shared by threads."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._began = time.monotonic()
        self._lock = threading.Lock()
        file.touch()

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._began

    def note(self, event: str, **told: object) -> None:
        """Add a line of JSON."""
        text = json.dumps(
            {"at": round(self.elapsed, 3), "event": event, **told}, default=str, ensure_ascii=False
        )
        with self._lock, self.file.open("a", encoding="utf-8") as file:
            file.write(f"{text}\n")

"""What runs write, brought to where the pages find it: web and worker share nothing but the
database.

Masked before it is stored, and in pieces that tear no secret apart. A log that
cannot be read, or stored, holds up no pass: the next look tries again.
"""

import logging
from collections.abc import Callable
from dataclasses import replace

from bot.backends.run import LogChunk
from bot.controllers.services import Services
from bot.errors import NotFound
from bot.facts.runs import ProjectRun
from bot.log import line
from bot.queue import RunRecord
from bot.subjects import Subject
from bot.words.escape import visible
from bot.words.mask import masked

log = logging.getLogger(__name__)

LONGEST_UNFINISHED = 64 * 1024
"""A line, or a private key, that is longer than this is not waited for, in bytes."""

_STEP = 4096


def collect(run: ProjectRun, subject: Subject, services: Services) -> None:
    """Write a run down for the pages, and bring what is new of its log; once it has ended, all of
    it.

    Cheap where there is nothing to bring: one read of the database, and one of the backend while
    the run goes on.
    """

    if " " in run.token:  # A second MLflow run under one token (`runs.merge`), which never began.
        return

    def mask(text: str) -> str:
        return masked(_visible(text), services.secrets)

    try:
        known = services.queue.note_run(subject, replace(run, reason=mask(run.reason)))
        if known.log_whole:
            return
        if run.over:
            _bring_whole(run, known, mask, services)
        elif run.cluster_run:
            _bring_new(run, known, mask, services)
    except Exception as trouble:  # Whatever it is, the run itself is not to be kept waiting for it.
        log.warning(
            line(
                "log",
                run=run.token,
                project=run.project,
                error=f"{type(trouble).__name__}: {trouble}",
            )
        )


def _bring_new(
    run: ProjectRun, known: RunRecord, mask: Callable[[str], str], services: Services
) -> None:
    part = (
        services.workspace(run.where)
        .backends[run.backend]
        .live_log(run.cluster_run, run.token, known.log_read)
    )
    start, content = _from_a_line(part)
    content = content[: _complete(content, mask)]
    if not content:
        return
    text = mask(content.decode("utf-8", "replace"))
    if start > known.log_read:
        missed = start - known.log_read
        text = (
            f"\n… {missed} bytes were written too fast to be read; they are here when the run has "
            f"ended …\n\n{text}"
        )
    services.queue.add_log(run.token, known.log_read, start + len(content), text)


def _bring_whole(
    run: ProjectRun, known: RunRecord, mask: Callable[[str], str], services: Services
) -> None:
    whole = LogChunk(b"")
    if run.cluster_run:
        try:
            whole = (
                services.workspace(run.where)
                .backends[run.backend]
                .whole_log(run.cluster_run, run.token)
            )
        except NotFound:  # The backend forgot the run; what was read of it is all there is.
            log.info(line("log", run=run.token, note="nobody has it any more"))
    _, content = _from_a_line(whole)
    if content or not known.log_size:
        services.queue.put_log(run.token, mask(content.decode("utf-8", "replace")), cut=whole.cut)
    else:
        services.queue.put_log(run.token, None)


def _from_a_line(part: LogChunk) -> tuple[int, bytes]:
    """A part without the rest of a line, whose beginning is not in it; and where in the log it then
    begins.
    """
    skipped = 0
    if part.cut:
        skipped = part.content.find(b"\n") + 1
    return part.start + skipped, part.content[skipped:]


def _complete(content: bytes, mask: Callable[[str], str]) -> int:
    """How much of a log's newest part may be taken for itself: whole lines, and no private key
    without its end.

    Of a line that does not end, as much as can be taken off without tearing apart what would be
    masked.
    """
    whole = content.rfind(b"\n") + 1
    key = content.rfind(b"-----BEGIN ", 0, whole)
    if (
        key >= 0
        and content.find(b"-----END ", key, whole) < 0
        and len(content) - key < LONGEST_UNFINISHED
    ):
        whole = key
    if whole or len(content) < LONGEST_UNFINISHED:
        return whole
    text = mask(content.decode("utf-8", "replace"))
    for at in range(len(content) - _STEP, 0, -_STEP):
        torn = mask(content[:at].decode("utf-8", "replace")) + mask(
            content[at:].decode("utf-8", "replace")
        )
        if torn == text:
            return at
    return len(content)


def _visible(text: str) -> str:
    # Whole logs are long, and to ask of each character what it is takes a hundred times as long as
    # to see that all of a line's can be seen.
    plain = text.replace("\r\n", "\n").split("\n")
    return "\n".join(row if row.replace("\t", "").isprintable() else visible(row) for row in plain)

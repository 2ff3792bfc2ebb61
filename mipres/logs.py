"""Structured logs on standard output, one JSON object a line, UTC.

A line names the trace and the registration that it is about, and no person.
"""

import hashlib
import io
import logging
import sys
import threading
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import structlog
from opentelemetry import trace

from mipres.domain.radicado import is_reference
from mipres.temporal.names import reference_of

OWN_LOGGERS: Final = (
    *("api", "activities", "mipres", "workflows"),
    *("temporalio.workflow", "uvicorn.error", "alembic"),
)
_unexpected = logging.getLogger("mipres.unexpected")


def configure_logging() -> None:
    """Send every line of the process through one JSON renderer.

    Those are structlog's, the standard library's and what Python itself complains of.
    """
    structlog.configure(
        processors=[*_shared(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    if isinstance(sys.stdout, io.TextIOWrapper):
        # JSON is UTF-8 in any locale, and half a character must not break a line.
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(json_lines())
    logging.captureWarnings(capture=True)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # Libraries tell addresses and values at INFO (an HTTP client every URL, with the document in it),
    # so only what is known to be harmless may speak there.
    root.setLevel(logging.WARNING)
    for name in OWN_LOGGERS:
        logging.getLogger(name).setLevel(logging.INFO)
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    _log_what_nothing_catches()


def json_lines() -> logging.Formatter:
    """Make the formatter of every line."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*_shared(), _name_the_work],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )


def bind_trace(fallback: str) -> None:
    """Let the lines of this task name its trace.

    Without a collector there is none, and `fallback` stands for it.
    """
    structlog.contextvars.bind_contextvars(trace_id=_current_trace() or fallback)


def bind_workflow(workflow_id: str, *, run_id: str) -> None:
    """Let the lines of this task name a workflow and its trace."""
    structlog.contextvars.bind_contextvars(**_named(workflow_id))
    bind_trace(fallback=trace_of_work(workflow_id, run_id=run_id))


def bind_radicado(radicado: str) -> None:
    """Let the lines of this task name a registration or a recovery.

    Any other text may be a stranger's.
    """
    if is_reference(radicado):
        structlog.contextvars.bind_contextvars(radicado=radicado)


def bind_work(reference: str) -> None:
    """Let the lines of a task that sets off work share the trace of that work."""
    bind_radicado(reference)
    bind_trace(fallback=_trace_of_reference(reference))


def origin_of(error: BaseException) -> str:
    """File and line that raised an error."""
    frames = traceback.extract_tb(error.__traceback__)[-1:]
    return "".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames)


def trace_of_work(workflow_id: str, *, run_id: str) -> str:
    """What stands for the trace of a workflow where no collector gave it one.

    API and worker find the same from the reference alone, so nothing has to carry it between them.
    """
    reference = reference_of(workflow_id)
    return _trace_of_reference(reference) if is_reference(reference) else run_id.replace("-", "")


def _trace_of_reference(reference: str) -> str:
    return hashlib.sha256(reference.encode()).hexdigest()[:32]


def _shared() -> list[structlog.typing.Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _name_the_trace,
        _name_the_error,
    ]


def _current_trace() -> str | None:
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None


def _named(workflow_id: str) -> dict[str, str]:
    reference = reference_of(workflow_id)
    return {"radicado": reference} if is_reference(reference) else {"workflow_id": workflow_id}


def _name_the_trace(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    if "trace_id" not in event and (current := _current_trace()):
        event["trace_id"] = current
    return event


def _name_the_error(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Put an error's type and place where its traceback would repeat values."""
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        event["error"], event["where"] = type(error).__name__, origin_of(error)
    return event


def _name_the_work(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Add workflow, trace and activity to a line of the SDK."""
    said = vars(event["_record"])
    context = said.get("temporal_activity") or said.get("temporal_workflow") or {}
    if workflow_id := context.get("workflow_id"):
        event.update(_named(workflow_id))
    if run_id := context.get("workflow_run_id") or context.get("run_id"):
        event.setdefault("trace_id", trace_of_work(workflow_id or "", run_id=run_id))
    for name in ("activity_id", "attempt"):
        if name in context:
            event[name] = context[name]
    return event


def _log_what_nothing_catches() -> None:
    """Make lines of what Python itself would write in many, values included."""

    def ending(kind: type[BaseException], error: BaseException, place: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            return
        _unexpected.critical("the process ends", exc_info=(kind, error, place))

    def in_thread(failed: threading.ExceptHookArgs) -> None:
        _unexpected.error("a thread ended", exc_info=failed.exc_value)

    def unraisable(failed: Any) -> None:
        _unexpected.error("an error could not be raised", exc_info=failed.exc_value)

    sys.excepthook, threading.excepthook, sys.unraisablehook = ending, in_thread, unraisable

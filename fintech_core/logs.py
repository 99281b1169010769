"""Logs: one JSON line per event, in UTC, with the request id; what is secret is cut out before it is written.

Imported by settings, so this module knows nothing of Django's own modules.
"""

import re
from collections.abc import MutableMapping
from typing import Any

import structlog

REDACTED = "[redacted]"
MAX_TEXT = 4_000
_SECRET_NAMES = re.compile(
    r"pin|password|secret|token|authorization|signature|cookie|api[-_]?key|document_number|bvn|nin$|account_number|"
    r"otp|pepper|cvv|purchased_code",
    re.IGNORECASE,
)
_BEARER = re.compile(r"(Bearer\s+)[A-Za-z0-9._~+/=-]+")
# A token in an address is still a token: no query is written, nor what names a vendor's private door.
_QUERY = re.compile(r"\?\S*")
_PRIVATE_PATH = re.compile(r"(/webhooks/[a-z]+/)[^\s/?]+")
_CODE_NAME = re.compile(r"code", re.IGNORECASE)
# The last group of a UUID may be digits alone; an id that is cut cannot be searched for.
_LONG_DIGITS = re.compile(r"(?<![0-9a-f]{4}-)\b\d{10,}\b")


def redact(value: Any, name: str = "") -> Any:
    """Return the value without what must not be written: by name, bearer tokens, and digit runs of ten or more."""
    if name and _SECRET_NAMES.search(name) and value is not None and not isinstance(value, bool):
        return REDACTED
    if isinstance(value, str) and _CODE_NAME.fullmatch(name):  # an OTP is text, an HTTP status is a number
        return REDACTED
    if name == "request":  # a request line, or Django's request, which writes itself with its query
        value = _PRIVATE_PATH.sub(rf"\1{REDACTED}", _QUERY.sub("?…", str(value)))
    if isinstance(value, dict):
        return {key: redact(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [redact(inner) for inner in value]
    if isinstance(value, str):
        cut = value if len(value) <= MAX_TEXT else f"{value[:MAX_TEXT]}…"
        return _LONG_DIGITS.sub(lambda found: f"…{found[0][-4:]}", _BEARER.sub(rf"\1{REDACTED}", cut))
    return value


def _redact_event(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Structlog processor: redact every value but the time and the ids that this code base makes."""
    kept = {"timestamp", "level", "logger", "request_id", "event"}
    for name, value in event.items():
        event[name] = redact(value, "" if name in kept else name) if name != "timestamp" else value
    return event


def configuration(*, level: str, as_json: bool) -> dict[str, Any]:
    """Configure structlog and return Django's LOGGING: JSON lines for machines, colours for a terminal."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ExtraAdder(),
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        _redact_event,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    renderer: Any = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer()
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": shared,
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            }
        },
        "handlers": {"stream": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stream"], "level": level},
        "loggers": {
            "django.server": {"handlers": ["stream"], "propagate": False},
            "httpx2": {"level": "WARNING"},
            "httpcore2": {"level": "WARNING"},
            "fontTools": {"level": "WARNING"},
            "celery": {"level": "INFO" if level == "DEBUG" else level},
            "django.request": {"level": "ERROR"},
        },
    }

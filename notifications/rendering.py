"""Texts of events: templates by event type and language, rendered to plain text.

``templates/notifications/TYPE.subject`` and ``TYPE.txt`` are the default language; ``TYPE.LANGUAGE.subject``
and ``TYPE.LANGUAGE.txt`` beside them are taken for users of that language. A template sees the payload and
``money`` (and ``fee_money``): the amount with its currency, for people.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.template import Context, Engine, engines

from fintech_core import money
from notifications.catalogue import EventType

MAX_SUBJECT = 200


@dataclass(frozen=True, slots=True)
class Text:
    """What a person reads: one line, and a few more."""

    subject: str
    body: str


def render(event_type: EventType, payload: Mapping[str, Any], *, language: str) -> Text:
    """Render the two texts of an event. Raises TemplateDoesNotExist, and whatever a broken payload causes."""
    context = {**payload, **_amounts(payload)}
    subject = _render(event_type.template, "subject", context, language)
    # A subject is one line: what a payload carries must not end up in a mail's headers.
    one_line = " ".join(subject.split())[:MAX_SUBJECT]
    return Text(one_line, _render(event_type.template, "txt", context, language))


def render_email(text: Text, *, name: str, language: str) -> str:
    """Put the body of a message into the frame of an e-mail."""
    return _render("_email", "txt", {"name": name, "body": text.body}, language) + "\n"


def _render(template: str, part: str, context: Mapping[str, Any], language: str) -> str:
    names = [f"notifications/{template}.{language}.{part}", f"notifications/{template}.{part}"]
    found = _engine().select_template(names)
    return str(found.render(Context(dict(context), autoescape=False))).strip()


def _engine() -> Engine:
    engine: Engine = engines["django"].engine  # type: ignore[attr-defined]  # the settings have this backend
    return engine


def _amounts(payload: Mapping[str, Any]) -> dict[str, str]:
    currency = payload.get("currency")
    names = {"amount": "money", "fee": "fee_money"}
    return {
        shown: money.for_people(Decimal(payload[name]), str(currency))
        for name, shown in names.items()
        if currency and payload.get(name) is not None and Decimal(payload[name])
    }

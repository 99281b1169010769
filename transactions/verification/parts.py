"""What apps above the ledger want proven with it: their checks, and the guards of their own tables.

An app that posts out of documents of its own registers a part in ``ready()``; the ledger imports none of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from django.db import models

from transactions.verification.check import Check


@dataclass(frozen=True, slots=True)
class Part:
    """One app's part. ``guards`` names the file of its ``migrations/sql`` that makes the triggers of ``tables``."""

    checks: tuple[Check, ...]
    tables: tuple[type[models.Model], ...] = ()
    guards: str = ""


_parts: dict[str, Part] = {}


def register(app: str, part: Part) -> None:
    """Add the part of an app, or replace it."""
    _parts[app] = part


def parts() -> Mapping[str, Part]:
    """Return what is registered, by the label of its app."""
    return MappingProxyType(_parts)

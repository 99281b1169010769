"""What apps above the ledger want proven with it: their checks, and the guards of their own tables.

An app that posts out of documents of its own registers an extension in ``ready()``; the ledger imports none of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from django.db import models

from transactions.verification.check import Check


@dataclass(frozen=True, slots=True)
class Extension:
    """What one app adds. ``guards`` names the file of its ``migrations/sql`` that makes the triggers of ``tables``."""

    checks: tuple[Check, ...]
    tables: tuple[type[models.Model], ...] = ()
    guards: str = ""


_extensions: dict[str, Extension] = {}


def register(app: str, extension: Extension) -> None:
    """Add the extension of an app, or replace it."""
    _extensions[app] = extension


def extensions() -> Mapping[str, Extension]:
    """Return what is registered, by the label of its app."""
    return MappingProxyType(_extensions)

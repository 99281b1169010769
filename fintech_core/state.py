"""Declared transitions: a status changes by one conditional UPDATE, from those that lead to it.

For rows that nobody has locked; who holds a row's lock and has looked at its status may write the next one there.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar
from uuid import UUID

from django.db import models

Row = TypeVar("Row", bound=models.Model)


class IllegalTransition(Exception):
    """A transition that the model does not declare was asked for: a bug, never a client's fault."""


def move(
    model: type[Row], pk: UUID, *, to: StrEnum | str, sources: Mapping[str, frozenset[str]], **changes: Any
) -> bool:
    """Move a row to ``to`` if its status still allows that, in one conditional UPDATE.

    ``sources`` maps each status to the statuses it may be reached from. Returns whether the row moved; False means
    that somebody else was faster or that the row is final.
    """
    allowed = sources.get(str(to))
    if not allowed:
        raise IllegalTransition(f"{model.__name__} declares no way to {to}")
    rows = model._default_manager.filter(pk=pk, status__in=sorted(allowed))
    return rows.update(status=str(to), **changes) == 1

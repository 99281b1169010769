"""Model fields of this house: keys ordered by time, money, encrypted text."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from django.core.exceptions import FieldError
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from fintech_core import crypto
from fintech_core.ids import uuid7

_ST = TypeVar("_ST", contravariant=True)
_GT = TypeVar("_GT", covariant=True)

if TYPE_CHECKING:
    from django.db.models import DecimalField, Field, UUIDField
else:
    # The stubs make fields generic in what is set and got; Django's own classes take no type arguments.

    def _generic(base: type) -> type:
        """Make a class of the field that ignores type arguments."""
        return type(base.__name__, (base,), {"__class_getitem__": classmethod(lambda cls, _: cls)})

    DecimalField, Field, UUIDField = map(_generic, (models.DecimalField, models.Field, models.UUIDField))


class UuidKey(UUIDField[_ST, _GT]):
    """The primary key of a document: a UUIDv7, made here, never edited."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"primary_key": True, "default": uuid7, "editable": False, **kwargs})

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        """Leave out what every such key has."""
        name, path, args, kwargs = super().deconstruct()
        for option in ("primary_key", "default", "editable"):
            kwargs.pop(option, None)
        return name, path, args, kwargs


class MoneyField(DecimalField[_ST, _GT]):
    """An amount in major units: 15 digits before the point, 4 after it. Its row also has ``currency``."""

    def __init__(self, verbose_name: str | None = None, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(verbose_name, name, **{"max_digits": 19, "decimal_places": 4, **kwargs})

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        """Leave out the digits, which every such field shares."""
        name, path, args, kwargs = super().deconstruct()
        kwargs.pop("max_digits", None)
        kwargs.pop("decimal_places", None)
        return name, path, args, kwargs


class SecretText(str):
    """Text whose ``repr`` does not show it: in tracebacks, debug pages and logs of containers."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "SecretText('…')"


class EncryptedTextField(Field[_ST, _GT]):
    """Text that the database sees only encrypted (``bytea``); in Python a ``SecretText``.

    The context is ``app.model.field``; pass ``context=`` to keep it when one of those is renamed. Nothing can
    be looked up in it but NULL: store ``crypto.fingerprint`` in a column of its own to find or to compare.
    The row is not part of the context, since a field does not know it.
    """

    _pyi_private_set_type: str
    _pyi_private_get_type: SecretText

    empty_strings_allowed = False

    def __init__(self, *args: Any, context: str = "", **kwargs: Any) -> None:
        self._context = context
        super().__init__(*args, **{"editable": False, **kwargs})

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        """Tell migrations the context when one was given."""
        name, path, args, kwargs = super().deconstruct()
        if self._context:
            kwargs["context"] = self._context
        if self.editable:
            kwargs["editable"] = True
        else:
            kwargs.pop("editable", None)
        return name, path, args, kwargs

    @property
    def context(self) -> str:
        """Name the place for which values are encrypted."""
        return self._context or f"{self.model._meta.label_lower}.{self.name}"

    def get_internal_type(self) -> str:
        """Be a ``bytea`` column."""
        return "BinaryField"

    def to_python(self, value: Any) -> Any:
        """Return text as SecretText; None stays None."""
        return value if value is None else SecretText(value)

    def get_db_prep_value(self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False) -> Any:
        """Encrypt on the way in; raises TypeError on anything but text."""
        if value is None:
            return None
        if not isinstance(value, str):
            raise TypeError(f"{self.context} holds text, not {type(value).__name__}")
        return crypto.encrypt(value, self.context)

    def from_db_value(
        self, value: Any, expression: Any, connection: BaseDatabaseWrapper
    ) -> SecretText | None:
        """Decrypt on the way out; raises CannotDecrypt."""
        return None if value is None else SecretText(crypto.decrypt(bytes(value), self.context))

    def value_to_string(self, obj: models.Model) -> str:
        """Refuse ``dumpdata`` and its kind: a dump would hold the text in clear. Raises FieldError."""
        raise FieldError(f"{self.context} is not serialised")

    def get_lookup(self, lookup_name: str) -> Any:
        """Allow ``isnull`` only; raises FieldError, since equal texts have different ciphertexts."""
        if lookup_name != "isnull":
            raise FieldError(f"{self.context} is encrypted: look its fingerprint up instead")
        return super().get_lookup(lookup_name)

    def get_transform(self, lookup_name: str) -> Any:
        """Refuse every transform."""
        return None

"""Encrypted columns: bound to their place, readable by every key of the ring, never by accident."""

from collections.abc import Callable

import pytest
from django.core.exceptions import FieldError, ImproperlyConfigured
from django.db import connection, models
from django.test.utils import isolate_apps
from pytest_django.fixtures import Settings

from fintech_core import crypto
from fintech_core.fields import EncryptedTextField, MoneyField, SecretText, UuidKey

CONTEXT = "users.kyccase.document_number"
OLD, NEW = "k1:an old secret", "k2:a new secret"


@pytest.fixture
def ring(settings: Settings) -> Callable[..., None]:
    """Set the key ring."""

    def use(*entries: str) -> None:
        settings.FIELD_KEYS = list(entries)

    use(OLD)
    return use


class TestEncrypt:
    @pytest.mark.parametrize("text", ["", "22233344455", "Ọláńrewájú", "x" * 10_000])
    def test_text_comes_back(self, ring: object, text: str) -> None:
        assert crypto.decrypt(crypto.encrypt(text, CONTEXT), CONTEXT) == text

    def test_equal_texts_look_different(self, ring: object) -> None:
        assert crypto.encrypt("22233344455", CONTEXT) != crypto.encrypt("22233344455", CONTEXT)

    def test_the_text_is_not_in_the_bytes(self, ring: object) -> None:
        assert b"22233344455" not in crypto.encrypt("22233344455", CONTEXT)

    def test_another_place_cannot_read_it(self, ring: object) -> None:
        sealed = crypto.encrypt("22233344455", CONTEXT)
        with pytest.raises(crypto.CannotDecrypt):
            crypto.decrypt(sealed, "users.kyccase.address")
        with pytest.raises(crypto.CannotDecrypt):
            crypto.decrypt(crypto.encrypt("1", f"{CONTEXT}:1"), f"{CONTEXT}:2")

    def test_a_change_of_any_byte_is_seen(self, ring: object) -> None:
        sealed = crypto.encrypt("22233344455", CONTEXT)
        for position in range(len(sealed)):
            changed = bytearray(sealed)
            changed[position] ^= 1
            with pytest.raises(crypto.CannotDecrypt):
                crypto.decrypt(bytes(changed), CONTEXT)

    @pytest.mark.parametrize(
        "data", [b"", b"\x01", b"\x01\xff", b"\x01\x02k1", b"plain text", b"\x01\x02k1" + b"0" * 12]
    )
    def test_bytes_that_are_no_ciphertext_are_refused(self, ring: object, data: bytes) -> None:
        with pytest.raises(crypto.CannotDecrypt):
            crypto.decrypt(data, CONTEXT)


class TestRing:
    def test_a_new_key_in_front_still_reads_the_old(self, ring: Callable[..., None]) -> None:
        sealed = crypto.encrypt("before", CONTEXT)
        ring(NEW, OLD)
        assert crypto.decrypt(sealed, CONTEXT) == "before"
        assert crypto.encrypt("after", CONTEXT)[2:4] == b"k2"

    def test_without_its_key_nothing_is_read(self, ring: Callable[..., None]) -> None:
        sealed = crypto.encrypt("before", CONTEXT)
        ring(NEW)
        with pytest.raises(crypto.CannotDecrypt, match="not on the ring"):
            crypto.decrypt(sealed, CONTEXT)
        ring("k1:another secret under the same id")
        with pytest.raises(crypto.CannotDecrypt):
            crypto.decrypt(sealed, CONTEXT)

    @pytest.mark.parametrize(
        "entries", [(), ("k1",), ("k1:",), (":secret",), ("k:1:x", "k:1:y"), ("k é:x",), ("a" * 33 + ":x",)]
    )
    def test_a_ring_that_cannot_be_is_refused(
        self, ring: Callable[..., None], entries: tuple[str, ...]
    ) -> None:
        ring(*entries)
        with pytest.raises(ImproperlyConfigured):
            crypto.encrypt("text", CONTEXT)

    def test_production_refuses_a_short_key(self, ring: Callable[..., None], settings: Settings) -> None:
        settings.PRODUCTION = True
        ring(f"k2:{'x' * 32}", f"k1:{'x' * 31}")
        with pytest.raises(
            ImproperlyConfigured, match="FIELD_KEYS: the secret of k1 needs at least 32 bytes"
        ):
            crypto.encrypt("text", CONTEXT)
        ring(f"k2:{'x' * 32}")
        assert crypto.decrypt(crypto.encrypt("text", CONTEXT), CONTEXT) == "text"

    def test_spaces_around_a_pair_are_not_part_of_it(self, ring: Callable[..., None]) -> None:
        ring("k2:a new secret", OLD)
        sealed = crypto.encrypt("text", CONTEXT)
        ring(" k2:a new secret ", f" {OLD}")
        assert crypto.decrypt(sealed, CONTEXT) == "text"


class TestFingerprint:
    def test_equal_texts_of_one_context_are_equal(self, ring: object) -> None:
        assert crypto.fingerprint("1", CONTEXT) == crypto.fingerprint("1", CONTEXT)
        assert crypto.fingerprint("1", CONTEXT) != crypto.fingerprint("2", CONTEXT)
        assert crypto.fingerprint("1", CONTEXT) != crypto.fingerprint("1", "elsewhere")
        assert len(crypto.fingerprint("1", CONTEXT)) == 32

    def test_text_and_context_do_not_run_into_each_other(self, ring: object) -> None:
        assert crypto.fingerprint("bc", "a") != crypto.fingerprint("c", "ab")

    def test_a_new_encryption_key_changes_no_fingerprint(self, ring: Callable[..., None]) -> None:
        before = crypto.fingerprint("1", CONTEXT)
        ring(NEW, OLD)
        assert crypto.fingerprint("1", CONTEXT) == before
        ring(NEW)
        assert crypto.fingerprint("1", CONTEXT) != before


@isolate_apps("fintech_core")
def model_with(**fields: models.Field) -> type[models.Model]:
    """Make a model that no registry keeps."""
    meta = type("Meta", (), {"app_label": "fintech_core"})
    return type("Case", (models.Model,), {"__module__": __name__, "Meta": meta, **fields})


class TestEncryptedTextField:
    def test_the_database_gets_bytes_and_gives_text(self, ring: object, db: None) -> None:
        field = model_with(number=EncryptedTextField())._meta.get_field("number")
        with connection.cursor() as cursor:
            cursor.execute("SELECT %s::bytea", [field.get_db_prep_value("22233344455", connection)])
            (stored,) = cursor.fetchone()
        assert b"22233344455" not in bytes(stored)
        found = field.from_db_value(stored, None, connection)
        assert found == "22233344455"
        assert isinstance(found, SecretText)
        assert field.db_type(connection) == "bytea"

    def test_null_stays_null(self, ring: object) -> None:
        field = model_with(number=EncryptedTextField(null=True))._meta.get_field("number")
        assert field.get_db_prep_value(None, connection) is None
        assert field.from_db_value(None, None, connection) is None

    @pytest.mark.parametrize("value", [5, b"bytes", True])
    def test_only_text_is_stored(self, ring: object, value: object) -> None:
        field = model_with(number=EncryptedTextField())._meta.get_field("number")
        with pytest.raises(TypeError):
            field.get_db_prep_value(value, connection)

    def test_the_context_is_its_place_unless_given(self, ring: object) -> None:
        model = model_with(number=EncryptedTextField(), kept=EncryptedTextField(context="old.place"))
        assert model._meta.get_field("number").context == "fintech_core.case.number"
        assert model._meta.get_field("kept").context == "old.place"

    def test_repr_does_not_show_it(self) -> None:
        text = SecretText("22233344455")
        assert "222" not in repr(text)
        assert "222" not in repr({"number": [text]})
        assert f"{text}" == "22233344455"

    @pytest.mark.parametrize("lookup", ["number", "number__contains", "number__in", "number__gt"])
    def test_it_cannot_be_looked_up(self, ring: object, lookup: str) -> None:
        model = model_with(number=EncryptedTextField())
        with pytest.raises(FieldError, match="fingerprint"):
            str(model._default_manager.filter(**{lookup: "1"}).query)
        assert "IS NULL" in str(model._default_manager.filter(number__isnull=True).query)

    def test_it_is_not_serialised(self, ring: object) -> None:
        model = model_with(number=EncryptedTextField())
        with pytest.raises(FieldError):
            model._meta.get_field("number").value_to_string(model(number="1"))

    def test_no_form_offers_it(self) -> None:
        assert not model_with(number=EncryptedTextField())._meta.get_field("number").editable


class TestDeconstruct:
    """Migrations hold only what differs."""

    @pytest.mark.parametrize(
        ("field", "expected"),
        [
            (UuidKey(), {}),
            (MoneyField(), {}),
            (MoneyField(default=0, null=True), {"default": 0, "null": True}),
            (EncryptedTextField(), {}),
            (EncryptedTextField(null=True, context="a.b.c"), {"null": True, "context": "a.b.c"}),
        ],
    )
    def test_it_is_small_and_comes_back_the_same(
        self, field: models.Field, expected: dict[str, object]
    ) -> None:
        _, _, args, kwargs = field.deconstruct()
        assert (list(args), kwargs) == ([], expected)
        again = type(field)(*args, **kwargs)
        assert again.deconstruct()[3] == expected
        assert (again.primary_key, again.editable) == (field.primary_key, field.editable)

    def test_money_has_fifteen_digits_before_the_point_and_four_after(self) -> None:
        field = MoneyField()
        assert (field.max_digits, field.decimal_places) == (19, 4)

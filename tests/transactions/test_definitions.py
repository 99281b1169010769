"""verify_ledger and the schema: what has kept its name and is another thing by now is found."""

import psycopg
import pytest
from django.conf import settings
from django.db import connections, models, transaction

from tests.transactions.attacks import conninfo
from tests.transactions.test_verify_ledger import ACCOUNT, ENTRY, MOVEMENT, PARKED, WALLET, rolled_back
from transactions.models import Transaction
from transactions.verification import definitions, verify
from transactions.verification.definitions import meaning

SNAPSHOT, SEAL = "transactions_balancesnapshot", "transactions_ledgerseal"
COLUMNS, KEYS, FUNCTIONS = "columns_are_as_declared", "keys_are_valid", "trigger_functions_are_ours"
DEFINITIONS = definitions.OURS.code

pytestmark = pytest.mark.django_db(databases=["default", "owner"])


def found_after(*statements: str) -> dict[str, str]:
    """Run statements as the owner, verify, and undo them; return a detail of each rule that was broken."""
    with rolled_back():
        with connections["owner"].cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        return {row.check: f"{row.row}: {row.detail}" for row in verify(using="owner").findings}


def remade(trigger: str, table: str, statement: str) -> tuple[str, ...]:
    """Return the statements that make a trigger of ours anew, always on as ours are."""
    return (
        f"DROP TRIGGER {trigger} ON {table}",
        f"CREATE TRIGGER {trigger} {statement}",
        f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}",
    )


def rule(table: str, name: str, definition: str) -> tuple[str, ...]:
    """Return the statements that put a constraint in the place of one of ours."""
    return (
        f"ALTER TABLE {table} DROP CONSTRAINT {name}",
        f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}",
    )


class TestColumns:
    @pytest.mark.parametrize(
        ("table", "column"),
        [
            (MOVEMENT, "reference"), (ENTRY, "amount"), (WALLET, "balance"), (ACCOUNT, "currency"),
            (SNAPSHOT, "balance"), (SEAL, "digest"), (PARKED, "owner_id"),
        ],
    )  # fmt: skip
    def test_one_that_may_be_empty_by_now_is_found(self, table: str, column: str) -> None:
        found = found_after(f"ALTER TABLE {table} ALTER COLUMN {column} DROP NOT NULL")
        assert set(found) == {COLUMNS}
        assert found[COLUMNS].startswith(f"column {table}.{column}: ")

    @pytest.mark.parametrize(
        ("column", "kind"),
        [("amount", "numeric"), ("currency", "varchar(30)"), ("wallet_version", "integer")],
    )
    def test_one_of_another_type_is_found(self, column: str, kind: str) -> None:
        assert set(found_after(f"ALTER TABLE {ENTRY} ALTER COLUMN {column} TYPE {kind}")) == {COLUMNS}

    def test_one_that_is_gone_is_found(self) -> None:
        found = found_after(f"ALTER TABLE {MOVEMENT} DROP COLUMN description")
        assert found[COLUMNS] == f"column {MOVEMENT}.description: missing"


class TestKeys:
    def test_a_foreign_key_to_another_table_is_found(self) -> None:
        with connections["owner"].cursor() as cursor:
            cursor.execute(
                "SELECT conname FROM pg_constraint WHERE contype = 'f' AND conrelid = %s::regclass"
                " AND confrelid = %s::regclass",
                [ENTRY, WALLET],
            )
            ((name,),) = cursor.fetchall()
        found = found_after(
            "CREATE TABLE other (id uuid PRIMARY KEY)",
            *rule(ENTRY, name, "FOREIGN KEY (wallet_id) REFERENCES other (id)"),
        )
        assert found == {KEYS: f"column {ENTRY}.wallet_id: foreign key"}

    @pytest.mark.skipif(not settings.EMBEDDED, reason="On a server of one's own we are no superuser.")
    def test_those_whose_own_triggers_are_off_are_found_with_all_of_ours_on(self, committed_db: None) -> None:
        """``ALTER TABLE … DISABLE TRIGGER ALL`` is for a superuser, and takes the triggers of foreign keys along."""
        with psycopg.connect(conninfo("superuser")) as session:
            session.execute(f"ALTER TABLE {ENTRY} DISABLE TRIGGER ALL")
            for name in ("ledger_new_entries", "ledger_entries_are_append_only"):
                session.execute(f"ALTER TABLE {ENTRY} ENABLE ALWAYS TRIGGER {name}")
        found = {row.row for row in verify().findings if row.check == KEYS}
        assert found == {f"column {ENTRY}.transaction_id", f"column {ENTRY}.wallet_id"}
        with psycopg.connect(conninfo("superuser")) as session:
            session.execute(f"ALTER TABLE {ENTRY} ENABLE TRIGGER ALL")
            for name in ("ledger_new_entries", "ledger_entries_are_append_only"):
                session.execute(f"ALTER TABLE {ENTRY} ENABLE ALWAYS TRIGGER {name}")
        assert verify().findings == ()


class TestConstraints:
    @pytest.mark.parametrize(
        ("name", "condition"),
        [
            ("wallet_balance_covers_held", "true"),
            ("wallet_balance_covers_held", "balance >= 0"),
            ("wallet_balance_covers_held", "balance >= 0 AND held >= 0 AND held <= balance OR true"),
            ("wallet_balance_covers_held", "balance >= 0 AND held >= 0 OR held <= balance"),
            ("wallet_balance_covers_held", "balance >= 0 AND held >= -1 AND held <= balance"),
            ("wallet_kind_is_known", "kind IN ('main', 'cashback', 'mine')"),
        ],
    )
    def test_a_check_of_another_condition_is_found(self, name: str, condition: str) -> None:
        found = found_after(*rule(WALLET, name, f"CHECK ({condition})"))
        assert set(found) == {DEFINITIONS}
        assert found[DEFINITIONS].startswith(f"definition {name} on {WALLET}: checks ")

    @pytest.mark.parametrize(
        "definition",
        ["(wallet_version, id)", "(wallet_id, wallet_version, id)", "NULLS NOT DISTINCT (wallet_id, id)",
         "(wallet_id, wallet_version) DEFERRABLE"],
    )  # fmt: skip
    def test_a_unique_one_of_other_columns_is_found(self, definition: str) -> None:
        found = found_after(*rule(ENTRY, "entry_wallet_version_is_unique", f"UNIQUE {definition}"))
        assert set(found) == {DEFINITIONS}

    @pytest.mark.parametrize("condition", ["WHERE false", "WHERE source_id IS NULL", "WHERE type = 'fee'"])
    def test_a_unique_index_of_other_rows_is_found(self, condition: str) -> None:
        found = found_after(
            "DROP INDEX transaction_once_per_source",
            "CREATE UNIQUE INDEX transaction_once_per_source"
            f" ON {MOVEMENT} (type, source_kind, source_id) {condition}",
        )
        assert set(found) == {DEFINITIONS}

    @pytest.mark.parametrize(
        "condition", ["", "ADD CHECK (entries >= -1)", "ADD CHECK (entries >= 0) NOT VALID"]
    )
    def test_a_count_that_may_be_negative_by_now_is_found(self, condition: str) -> None:
        found = found_after(
            f"ALTER TABLE {SEAL} DROP CONSTRAINT {SEAL}_entries_check",
            *([f"ALTER TABLE {SEAL} {condition}"] if condition else []),
        )
        assert found == {DEFINITIONS: f'definition entries on {SEAL}: nothing checks "entries" >= 0'}

    def test_each_made_anew_as_it_was_is_no_finding(self) -> None:
        assert (
            found_after(
                *rule(
                    WALLET,
                    "wallet_balance_covers_held",
                    "CHECK (held <= balance AND (balance >= (0) AND held >= 0))",
                ),
                *rule(ENTRY, "entry_wallet_version_is_unique", "UNIQUE (wallet_id, wallet_version)"),
                "DROP INDEX transaction_once_per_source",
                f"CREATE UNIQUE INDEX transaction_once_per_source ON {MOVEMENT} (type, source_kind, source_id)"
                " WHERE source_id IS NOT NULL",
            )
            == {}
        )


class TestTriggers:
    @pytest.mark.parametrize(
        ("name", "table", "statement"),
        [
            ("ledger_entries_are_append_only", ENTRY, "BEFORE UPDATE OR DELETE OR TRUNCATE ON {} FOR EACH STATEMENT"
             " WHEN (false) EXECUTE FUNCTION ledger_refuse_change('entries_are_append_only')"),
            ("ledger_entries_are_append_only", ENTRY, "BEFORE TRUNCATE ON {} FOR EACH STATEMENT"
             " EXECUTE FUNCTION ledger_refuse_change('entries_are_append_only')"),
            ("ledger_transitions", MOVEMENT, "BEFORE UPDATE OF description ON {} FOR EACH ROW"
             " EXECUTE FUNCTION ledger_check_transition()"),
            ("ledger_transitions", MOVEMENT, "AFTER UPDATE ON {} FOR EACH ROW"
             " EXECUTE FUNCTION ledger_check_transition()"),
            ("ledger_transitions", MOVEMENT, "BEFORE UPDATE ON {} FOR EACH ROW"
             " EXECUTE FUNCTION ledger_number_end()"),
            ("ledger_holds_are_numbered", MOVEMENT, "BEFORE INSERT ON {} FOR EACH ROW WHEN (NEW.status = 'x')"
             " EXECUTE FUNCTION ledger_number_hold()"),
            ("ledger_wallets_stay", WALLET, "BEFORE DELETE OR TRUNCATE ON {} FOR EACH STATEMENT"
             " EXECUTE FUNCTION ledger_refuse_change('x')"),
        ],
    )  # fmt: skip
    def test_one_that_does_something_else_is_found(self, name: str, table: str, statement: str) -> None:
        found = found_after(*remade(name, table, statement.format(table)))
        assert set(found) == {DEFINITIONS}
        assert found[DEFINITIONS].startswith(f"definition {name} on {table}: is CREATE TRIGGER {name} ")

    def test_one_that_runs_a_function_of_the_same_name_elsewhere_is_found(self) -> None:
        found = found_after(
            "CREATE SCHEMA elsewhere",
            "CREATE FUNCTION elsewhere.ledger_check_transition() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RETURN NEW; END $$",
            *remade("ledger_transitions", MOVEMENT, f"BEFORE UPDATE ON {MOVEMENT} FOR EACH ROW"
                    " EXECUTE FUNCTION elsewhere.ledger_check_transition()"),
        )  # fmt: skip
        assert set(found) == {DEFINITIONS}

    def test_one_made_anew_as_it_was_is_no_finding(self) -> None:
        statement = (
            f"BEFORE UPDATE OF kind, currency, owner_id, id ON {WALLET} FOR EACH ROW"
            " WHEN ((OLD.id, OLD.owner_id, OLD.kind, OLD.currency)"
            " IS DISTINCT FROM (NEW.id, NEW.owner_id, NEW.kind, NEW.currency))"
            " EXECUTE FUNCTION ledger_refuse_row('wallet_identity_never_changes')"
        )
        assert found_after(*remade("ledger_wallet_identity", WALLET, statement)) == {}


class TestFunctions:
    @pytest.mark.parametrize(
        "change",
        ["SET search_path = elsewhere, public", "SET enable_seqscan = on", "RESET enable_hashjoin",
         "SECURITY DEFINER", "STABLE"],
    )  # fmt: skip
    def test_one_that_runs_otherwise_is_found(self, change: str) -> None:
        found = found_after(f"ALTER FUNCTION ledger_check_new_entries() {change}")
        assert set(found) == {FUNCTIONS}
        assert found[FUNCTIONS].startswith("function ledger_check_new_entries: changed")


class TestMeaning:
    @pytest.mark.parametrize(
        ("ours", "theirs"),
        [
            ('"status" IN (\'a\', \'b\')',
             "((status)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[]))"),
            ('(NOT ("a" = \'x\') OR ("b" IS NOT NULL AND "c" > 0))',
             "((NOT ((a)::text = 'x'::text)) OR ((b IS NOT NULL) AND (c > (0)::numeric)))"),
            ("(a AND b) AND (c OR (d OR e))", "a AND b AND (c OR d OR e)"),
            ("WHEN ((OLD.a, OLD.b) IS DISTINCT FROM (NEW.a, NEW.b))",
             "WHEN (((old.a IS DISTINCT FROM new.a) OR ((old.b)::text IS DISTINCT FROM (new.b)::text)))"),
        ],
    )  # fmt: skip
    def test_two_wordings_of_one_thing_are_the_same(self, ours: str, theirs: str) -> None:
        assert meaning(ours) == meaning(theirs)

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("a AND (b OR c)", "(a AND b) OR c"),
            ("NOT (a OR b)", "NOT a OR b"),
            ("a = 'Pending'", "a = 'pending'"),
            ("a = 'or'", "a = 'and'"),
            ("a > b", "b > a"),
            ("a IS NULL", "a IS NOT NULL"),
            ("a IN ('x')", "a NOT IN ('x')"),
        ],
    )
    def test_two_things_are_not(self, one: str, other: str) -> None:
        assert meaning(one) != meaning(other)


def test_django_writes_a_condition_as_it_did_when_databases_were_made() -> None:
    """A release that words one otherwise would find every older database changed: it needs a migration, or ``meaning``.

    This one has all that Django adds by itself: NOT with what may be NULL, a column in brackets, the order of names.
    """
    (rule,) = (one for one in Transaction._meta.constraints if one.name == "transaction_has_two_ends")
    assert isinstance(rule, models.CheckConstraint)
    assert str(rule.constraint_sql(Transaction, connections["default"].schema_editor())).endswith(
        ' CHECK (("from_wallet_id" IS NULL OR "to_wallet_id" IS NULL OR NOT ("from_wallet_id" = ("to_wallet_id")'
        ' AND "from_wallet_id" IS NOT NULL AND "to_wallet_id" IS NOT NULL)))'
    )


def test_nothing_is_found_in_a_database_as_the_migrations_made_it() -> None:
    """By either role: a database of one role is verified by the owner of its tables."""
    for role in ("default", "owner"):
        with transaction.atomic(using=role):
            assert verify(using=role).findings == ()

from typing import Any

from django.conf import settings
from django.db import migrations

from fintech_core.privileges import AppendOnly
from fintech_core.sqlfiles import sql_file
from transactions import chart


def open_accounts(apps: Any, schema_editor: Any) -> None:
    """Open every account of the chart in every enabled currency."""
    accounts = apps.get_model("transactions", "LedgerAccount").objects.using(schema_editor.connection.alias)
    for account, currency in chart.rows(tuple(settings.CURRENCIES)):
        accounts.get_or_create(
            code=account.code,
            currency=currency,
            defaults={"name": account.name, "type": account.type, "wallet_kind": account.wallet_kind},
        )


class Migration(migrations.Migration):
    """Let the database hold the rules of the ledger, and open the chart of accounts."""

    # After the grants to the application role: granted later, they would give back what is taken here.
    dependencies = [("transactions", "0001_ledger"), ("fintech_core", "0002_privileges_and_audit")]

    operations = [
        migrations.RunPython(open_accounts, migrations.RunPython.noop),
        sql_file(__file__, "ledger_triggers"),
        AppendOnly("transactions_ledgerentry"),
    ]

from django.db import migrations

from fintech_core.sqlfiles import sql_file


class Migration(migrations.Migration):
    """Check the wallets of a statement in one pass, so that a bulk posting costs no more than its rows."""

    dependencies = [("transactions", "0007_balance_snapshots")]

    operations = [sql_file(__file__, "wallets_checked_in_bulk")]

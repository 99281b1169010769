from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Give a wallet's history an index that is no choice for who looks for one entry by its version.

    The triggers of a posting look for the entry before each new one. PostgreSQL held the index of the history for as
    good as the unique one while wallets had few entries on average, and read all entries of a busy wallet each time.

    A run that breaks off leaves an index that is not valid; the next one begins by dropping it. Processes of the version
    before read histories without the new condition, and so slowly, until they are restarted.
    """

    atomic = False
    dependencies = [("transactions", "0018_references_per_sender")]

    operations = [
        migrations.RunSQL(
            "DROP INDEX CONCURRENTLY IF EXISTS entry_history_of_wallet", migrations.RunSQL.noop
        ),
        AddIndexConcurrently(
            model_name="ledgerentry",
            index=models.Index(
                condition=models.Q(("wallet_balance_after__isnull", False)),
                fields=["wallet", "created_at", "id"],
                name="entry_history_of_wallet",
            ),
        ),
        RemoveIndexConcurrently(model_name="ledgerentry", name="entry_wallet_history"),
    ]

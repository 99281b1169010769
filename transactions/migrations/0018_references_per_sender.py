from django.db import migrations, models

from fintech_core.sqlfiles import sql_file


class Migration(migrations.Migration):
    """Let two senders use one reference; in SQL, so that the way back restores the names that are looked for."""

    dependencies = [("transactions", "0017_openings_and_splits")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[sql_file(__file__, "references_per_sender")],
            state_operations=[
                migrations.AlterField(
                    model_name="transaction",
                    name="reference",
                    field=models.CharField(
                        help_text="Ours, or the sender's own: unique among theirs", max_length=64
                    ),
                ),
                migrations.AddConstraint(
                    model_name="transaction",
                    constraint=models.UniqueConstraint(
                        fields=["reference", "from_user"],
                        name="transaction_reference_once_per_sender",
                        nulls_distinct=False,
                    ),
                ),
            ],
        ),
    ]

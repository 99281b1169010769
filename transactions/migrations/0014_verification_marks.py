from django.db import migrations, models

from fintech_core.privileges import AppendOnly
from fintech_core.sqlfiles import sql_file


class Migration(migrations.Migration):
    """Remember up to where the books were proven."""

    dependencies = [("transactions", "0013_undoing_and_expiry")]

    operations = [
        migrations.CreateModel(
            name="VerificationMark",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("through_entry", models.BigIntegerField()),
                ("through_hold", models.BigIntegerField()),
                ("seal_number", models.BigIntegerField()),
                ("seal_chain", models.CharField(max_length=64)),
                ("checked_at", models.DateTimeField()),
                ("key_id", models.CharField(max_length=32)),
                ("mac", models.CharField(max_length=64)),
            ],
        ),
        sql_file(__file__, "mark_triggers"),
        AppendOnly("transactions_verificationmark"),
    ]

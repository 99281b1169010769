from django.db import migrations

import fintech_core.fields
from fintech_core.sqlfiles import sql_file


class Migration(migrations.Migration):
    """Let wallets be sealed when they are opened, and holds with the fee that they were made for."""

    dependencies = [("transactions", "0016_float_monitors"), ("wallet", "0003_opening_number")]

    operations = [
        migrations.AddField(
            model_name="transaction",
            name="hold_fee",
            field=fintech_core.fields.MoneyField(
                editable=False, help_text="The fee that the hold was made for; kept", null=True
            ),
        ),
        sql_file(__file__, "openings_and_splits"),
    ]

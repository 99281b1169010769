from django.db import migrations


class Migration(migrations.Migration):
    """Let staff be allowed to reverse a transaction and to stop outgoing money."""

    dependencies = [("transactions", "0003_sample_limits")]

    operations = [
        migrations.AlterModelOptions(
            name="transaction",
            options={
                "permissions": [
                    ("reverse_transaction", "Can book the mirror of a completed transaction"),
                    ("switch_money_out", "Can stop outgoing money and resume it"),
                ]
            },
        ),
    ]

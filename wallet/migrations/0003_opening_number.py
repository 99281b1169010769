from django.db import migrations, models


class Migration(migrations.Migration):
    """Give wallets a place among what is sealed; the ledger's trigger draws it."""

    dependencies = [("wallet", "0002_freeze_permission")]

    operations = [
        migrations.AddField(
            model_name="wallet",
            name="opening_number",
            field=models.BigIntegerField(editable=False, help_text="Place of its opening", null=True),
        ),
        migrations.AddConstraint(
            model_name="wallet",
            constraint=models.UniqueConstraint(fields=("opening_number",), name="wallet_by_opening"),
        ),
    ]

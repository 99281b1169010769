from django.db import migrations, models


class Migration(migrations.Migration):
    """Find the entries of a wallet whose effective time differs from the recorded one."""

    dependencies = [("transactions", "0004_staff_permissions")]

    operations = [
        migrations.AddIndex(
            model_name="ledgerentry",
            index=models.Index(
                condition=models.Q(("effective_at__isnull", False)),
                fields=["wallet", "effective_at"],
                name="entry_wallet_effective",
            ),
        ),
    ]

from django.db import migrations


class Migration(migrations.Migration):
    """Let staff be allowed to stop and release wallets."""

    dependencies = [("wallet", "0001_wallets")]

    operations = [
        migrations.AlterModelOptions(
            name="wallet",
            options={"permissions": [("freeze_wallet", "Can stop money at a wallet and let it move again")]},
        ),
    ]

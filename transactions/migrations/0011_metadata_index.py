from django.contrib.postgres.indexes import GinIndex
from django.db import migrations, models


class Migration(migrations.Migration):
    """Find movements by their metadata; those without any are not in the index."""

    dependencies = [("transactions", "0010_corrections")]

    operations = [
        migrations.AddIndex(
            model_name="transaction",
            index=GinIndex(
                condition=models.Q(("metadata", {}), _negated=True),
                fields=["metadata"],
                name="transaction_by_metadata",
                opclasses=["jsonb_path_ops"],
            ),
        ),
    ]

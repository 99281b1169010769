"""One reward for each person and trigger, and the rules that the database holds by triggers."""

from django.conf import settings
from django.db import migrations, models

from fintech_core.sqlfiles import sql_file


class Migration(migrations.Migration):
    dependencies = [
        ("cashback", "0002_sample_campaign"),
        ("transactions", "0004_staff_permissions"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="reward",
            name="reward_once_per_trigger",
        ),
        migrations.RemoveConstraint(
            model_name="reward",
            name="reward_earned_has_its_transaction",
        ),
        migrations.RemoveIndex(
            model_name="reward",
            name="reward_by_trigger",
        ),
        migrations.AddConstraint(
            model_name="reward",
            constraint=models.UniqueConstraint(
                fields=("trigger_kind", "trigger_id", "user"), name="reward_once_per_trigger_and_user"
            ),
        ),
        migrations.AddConstraint(
            model_name="reward",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("status__in", ("cancelled", "earned")), ("transaction__isnull", False)),
                    models.Q(
                        models.Q(("status__in", ("cancelled", "earned")), _negated=True),
                        ("transaction__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="reward_given_has_its_transaction",
            ),
        ),
        sql_file(__file__, "cashback_rules"),
    ]

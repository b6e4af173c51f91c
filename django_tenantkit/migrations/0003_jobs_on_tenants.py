"""Jobs on tenants: who began them, what came of them, one at a time."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("django_tenantkit", "0002_places"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="job",
            name="tenantkit_one_open_job",
        ),
        migrations.RemoveConstraint(
            model_name="job",
            name="tenantkit_one_open_claim",
        ),
        migrations.AddField(
            model_name="job",
            name="by",
            field=models.CharField(blank=True, max_length=150),
        ),
        migrations.AddField(
            model_name="job",
            name="result",
            field=models.JSONField(default=dict),
        ),
        migrations.AlterField(
            model_name="job",
            name="state",
            field=models.CharField(
                choices=[
                    ("waiting", "Waiting"),
                    ("running", "Running"),
                    ("failed", "Failed"),
                    ("done", "Done"),
                    ("given up", "Given Up"),
                ],
                default="running",
                max_length=20,
            ),
        ),
        migrations.AddConstraint(
            model_name="job",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ["done", "given up"]), _negated=True),
                fields=("kind", "slug"),
                name="tenantkit_one_open_job",
            ),
        ),
        migrations.AddConstraint(
            model_name="job",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    models.Q(("state__in", ["done", "given up"]), _negated=True),
                    models.Q(("domain", ""), _negated=True),
                ),
                fields=("kind", "domain"),
                name="tenantkit_one_open_claim",
            ),
        ),
        migrations.AddConstraint(
            model_name="job",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ["done", "given up"]), _negated=True),
                fields=("tenant",),
                name="tenantkit_one_job_at_a_time",
            ),
        ),
    ]

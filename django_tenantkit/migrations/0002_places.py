"""Where the rows of a tenant live, and the places of tenants."""

from django.db import migrations, models

import django_tenantkit.fields


class Migration(migrations.Migration):
    dependencies = [
        ("django_tenantkit", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="MigrationState",
            fields=[
                ("digest", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("names", models.JSONField(default=list)),
                ("made_for", models.CharField(blank=True, max_length=64)),
                ("script", models.JSONField(null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.AddField(
            model_name="tenant",
            name="database",
            field=models.CharField(blank=True, db_default="", default="", editable=False, max_length=63),
        ),
        migrations.AddField(
            model_name="tenant",
            name="isolation",
            field=models.CharField(
                choices=[("row", "Row"), ("schema", "Schema"), ("database", "Database")],
                db_default="row",
                default="row",
                editable=False,
                max_length=20,
            ),
        ),
        migrations.CreateModel(
            name="Place",
            fields=[
                (
                    "uid",
                    models.UUIDField(
                        default=django_tenantkit.fields.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("isolation", models.CharField(max_length=20)),
                ("database", models.CharField(blank=True, max_length=63)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("making", "Making"),
                            ("ready", "Ready"),
                            ("taken", "Taken"),
                            ("leaving", "Leaving"),
                            ("gone", "Gone"),
                        ],
                        default="making",
                        max_length=20,
                    ),
                ),
                ("migrations", models.CharField(blank=True, max_length=64)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("seconds", models.FloatField(null=True)),
                ("error", models.TextField(blank=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("taken_at", models.DateTimeField(null=True)),
                ("drop_after", models.DateTimeField(null=True)),
            ],
            options={
                "ordering": ("uid",),
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "ready")),
                        fields=["isolation", "database"],
                        name="tenantkit_ready_places",
                    )
                ],
            },
        ),
        migrations.AlterField(
            model_name="job",
            name="state",
            field=models.CharField(
                choices=[("waiting", "Waiting"), ("running", "Running"), ("failed", "Failed"), ("done", "Done")],
                default="running",
                max_length=20,
            ),
        ),
    ]

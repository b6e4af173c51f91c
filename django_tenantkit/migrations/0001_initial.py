"""Tenants, their domains and members, and the ledger."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import django_tenantkit.fields
import django_tenantkit.names
from django_tenantkit.conf import conf


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        migrations.swappable_dependency(conf.TENANT_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Tenant",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uid", models.UUIDField(default=django_tenantkit.fields.uuid7, editable=False, unique=True)),
                (
                    "slug",
                    models.CharField(max_length=63, unique=True, validators=[django_tenantkit.names.validate_slug]),
                ),
                ("name", models.CharField(max_length=200)),
                ("plan", models.CharField(blank=True, max_length=50)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("provisioning", "Provisioning"),
                            ("active", "Active"),
                            ("suspended", "Suspended"),
                            ("maintenance", "Maintenance"),
                            ("erasing", "Erasing"),
                            ("erased", "Erased"),
                        ],
                        default="active",
                        max_length=20,
                    ),
                ),
                ("settings", models.JSONField(blank=True, default=dict)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("erased_at", models.DateTimeField(blank=True, editable=False, null=True)),
            ],
            options={
                "ordering": ("slug",),
                "abstract": False,
                "swappable": "TENANTKIT_TENANT_MODEL",
            },
        ),
        migrations.CreateModel(
            name="Domain",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("domain", models.CharField(max_length=253, unique=True)),
                ("is_primary", models.BooleanField(default=False)),
                ("verified_at", models.DateTimeField(blank=True, null=True)),
                (
                    "tenant",
                    django_tenantkit.fields.TenantReference(
                        on_delete=django.db.models.deletion.CASCADE, related_name="domains"
                    ),
                ),
            ],
            options={
                "ordering": ("domain",),
                "abstract": False,
                "swappable": "TENANTKIT_DOMAIN_MODEL",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("is_primary", True)),
                        fields=("tenant",),
                        name="django_tenantkit_domain_one_primary",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Job",
            fields=[
                (
                    "uid",
                    models.UUIDField(
                        default=django_tenantkit.fields.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("kind", models.CharField(max_length=50)),
                ("slug", models.CharField(max_length=63)),
                ("domain", models.CharField(blank=True, max_length=253)),
                ("arguments", models.JSONField(default=dict)),
                (
                    "state",
                    models.CharField(
                        choices=[("running", "Running"), ("failed", "Failed"), ("done", "Done")],
                        default="running",
                        max_length=20,
                    ),
                ),
                ("steps", models.JSONField(default=list)),
                ("attempts", models.PositiveIntegerField(default=1)),
                ("error", models.TextField(blank=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "tenant",
                    django_tenantkit.fields.TenantReference(
                        blank=True, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name="+"
                    ),
                ),
            ],
            options={
                "ordering": ("-created_at",),
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "done"), _negated=True),
                        fields=("kind", "slug"),
                        name="tenantkit_one_open_job",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(
                            models.Q(("state", "done"), _negated=True), models.Q(("domain", ""), _negated=True)
                        ),
                        fields=("kind", "domain"),
                        name="tenantkit_one_open_claim",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Membership",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("role", models.CharField(default="member", max_length=50)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "tenant",
                    django_tenantkit.fields.TenantReference(
                        on_delete=django.db.models.deletion.CASCADE, related_name="memberships"
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="tenant_memberships",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("user", "tenant"), name="tenantkit_one_membership")],
            },
        ),
    ]

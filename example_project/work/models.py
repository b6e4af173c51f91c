"""What people work on. Ordinary Django: nothing here says which tenant."""

from django.conf import settings
from django.db import models

from django_tenantkit.constraints import TenantUniqueConstraint
from django_tenantkit.models import TenantModel


class Project(TenantModel):
    """A piece of work with an end."""

    class Status(models.TextChoices):
        PLANNED = "planned"
        ACTIVE = "active"
        DONE = "done"

    key = models.CharField(max_length=10, help_text="Short, unique in your organisation: WEB")
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.ACTIVE)
    lead = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="led_projects"
    )
    starts_on = models.DateField()
    due_on = models.DateField(null=True, blank=True)

    class Meta:
        ordering = ("key",)
        constraints = (TenantUniqueConstraint(fields=["key"], name="unique_project_key"),)

    def __str__(self) -> str:
        return self.name


class Label(TenantModel):
    """A word that tasks have in common."""

    name = models.CharField(max_length=30)

    class Meta:
        ordering = ("name",)
        constraints = (TenantUniqueConstraint(fields=["name"], name="unique_label_name"),)

    def __str__(self) -> str:
        return self.name


class Task(TenantModel):
    """Something to do in a project."""

    class Status(models.TextChoices):
        TODO = "todo", "To do"
        DOING = "doing", "In progress"
        REVIEW = "review", "In review"
        DONE = "done", "Done"

    class Priority(models.IntegerChoices):
        LOW = 1
        NORMAL = 2
        HIGH = 3

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="tasks")
    title = models.CharField(max_length=200)
    status = models.CharField(max_length=10, choices=Status, default=Status.TODO)
    priority = models.PositiveSmallIntegerField(choices=Priority, default=Priority.NORMAL)
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="tasks"
    )
    labels = models.ManyToManyField(Label, blank=True, related_name="tasks")
    due_on = models.DateField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("due_on", "created_at")
        indexes = (models.Index(fields=["tenant", "status", "due_on"], name="task_by_status"),)

    def __str__(self) -> str:
        return self.title

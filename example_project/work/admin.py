"""Projects and tasks in the admin of a tenant."""

from django.contrib.admin import register

from example_project.workspace import WorkspaceAdmin, workspace

from .models import Label, Project, Task


@register(Project, site=workspace)
class ProjectAdmin(WorkspaceAdmin):
    list_display = ("key", "name", "status", "lead", "due_on")
    list_filter = ("status",)
    search_fields = ("key", "name")


@register(Task, site=workspace)
class TaskAdmin(WorkspaceAdmin):
    list_display = ("title", "project", "status", "priority", "assignee", "due_on")
    list_filter = ("status", "priority", "project", "labels")
    list_select_related = ("project", "assignee")
    autocomplete_fields = ("project",)
    filter_horizontal = ("labels",)
    search_fields = ("title",)


@register(Label, site=workspace)
class LabelAdmin(WorkspaceAdmin):
    search_fields = ("name",)

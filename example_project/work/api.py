"""The API of projects and tasks. Nothing here mentions tenants."""

import django_filters
from django.db.models import Count, Q
from rest_framework import serializers, viewsets

from example_project.users.api import MemberField
from example_project.users.models import User

from .models import Label, Project, Task


class ProjectSerializer(serializers.ModelSerializer):
    lead = MemberField(allow_null=True, required=False)
    tasks_open = serializers.IntegerField(read_only=True, default=0)

    class Meta:
        model = Project
        fields = ("id", "key", "name", "description", "status", "lead", "starts_on", "due_on", "tasks_open")


class ProjectViewSet(viewsets.ModelViewSet):
    """Projects, with the number of their tasks that are not done."""

    queryset = Project.objects.annotate(tasks_open=Count("tasks", filter=~Q(tasks__status=Task.Status.DONE))).order_by(
        "key"
    )
    serializer_class = ProjectSerializer
    filterset_fields = ("status",)
    search_fields = ("key", "name")


class LabelSerializer(serializers.ModelSerializer):
    class Meta:
        model = Label
        fields = ("id", "name")


class LabelViewSet(viewsets.ModelViewSet):
    """Labels."""

    queryset = Label.objects.all()
    serializer_class = LabelSerializer


class TaskSerializer(serializers.ModelSerializer):
    assignee = MemberField(allow_null=True, required=False)

    class Meta:
        model = Task
        fields = ("id", "project", "title", "status", "priority", "assignee", "labels", "due_on", "created_at")


class TaskFilter(django_filters.FilterSet):
    assignee = django_filters.ModelChoiceFilter(queryset=lambda request: User.objects.members())
    due = django_filters.DateFromToRangeFilter(field_name="due_on")

    class Meta:
        model = Task
        fields = ("project", "status", "priority", "labels")


class TaskViewSet(viewsets.ModelViewSet):
    """Tasks of all projects."""

    queryset = Task.objects.prefetch_related("labels")
    serializer_class = TaskSerializer
    filterset_class = TaskFilter
    search_fields = ("title",)
    ordering_fields = ("due_on", "priority", "created_at")

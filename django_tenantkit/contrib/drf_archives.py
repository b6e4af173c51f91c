"""Archives for a tenant's own admin, through Django REST framework:

    GET  archives/                   what was asked for
    POST archives/                   ask for an archive, {"files": true} for one with files: 202
    GET  archives/JOB/               how far it is
    GET  archives/JOB/download/      the file; 410 once it is gone, after TENANTKIT_ARCHIVE_DAYS
    POST archives/load/              load one, as the field `file`: rows become what they were in it, 202

`run_archives` does what was asked for. Everything is the current tenant's: a job of another one is not there.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import FileResponse
from rest_framework import parsers, permissions, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import APIException, NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from ..access import allowed
from ..conf import conf
from ..context import get_current_tenant, require_tenant
from ..exceptions import ArchiveRefused
from ..lifecycle.archive.asking import ask_export, ask_import, asked, expires_at, file_of, is_done
from ..models import Job
from .drf import Conflict


class MayArchive(permissions.BasePermission):
    """Whoever has one of TENANTKIT_ARCHIVE_ROLES in the current tenant."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Whether the user may export and import the tenant."""
        tenant = get_current_tenant()
        if tenant is None or not request.user or not request.user.is_authenticated:
            return False
        roles = allowed(request.user, tenant)
        return not isinstance(roles, bool) and bool(set(roles) & set(conf.ARCHIVE_ROLES))


class ArchiveSerializer(serializers.Serializer[Job]):
    """What a tenant sees of a job: neither where files are, nor what the server said of an error."""

    uid = serializers.UUIDField()
    kind = serializers.CharField()
    state = serializers.CharField()
    by = serializers.CharField()
    created_at = serializers.DateTimeField()
    rows = serializers.SerializerMethodField()
    is_ready = serializers.SerializerMethodField()
    expires_at = serializers.SerializerMethodField()

    def get_rows(self, job: Job) -> dict[str, int]:
        """By model."""
        rows: dict[str, int] = job.result.get("rows", {})
        return rows

    def get_is_ready(self, job: Job) -> bool:
        """Whether there is something to download."""
        return file_of(job) is not None

    def get_expires_at(self, job: Job) -> datetime | None:
        """Until when."""
        return expires_at(job) if is_done(job) else None


class AskSerializer(serializers.Serializer[Any]):
    """What is asked for: an archive with files or without."""

    files = serializers.BooleanField(default=False)


class Gone(APIException):
    """There was an archive."""

    status_code = status.HTTP_410_GONE
    default_detail = "This archive is not kept any more. Ask for a new one."
    default_code = "gone"


class ArchiveViewSet(viewsets.ViewSet):
    """Archives of the current tenant. Register it with a router, at hosts that name a tenant."""

    permission_classes = (MayArchive,)
    lookup_value_converter = "uuid"
    lookup_field = "uid"
    parser_classes = (parsers.MultiPartParser, parsers.JSONParser)

    def list(self, request: Request) -> Response:
        """What was asked for, the latest first."""
        return Response([ArchiveSerializer(job).data for job in asked(require_tenant())])

    def create(self, request: Request) -> Response:
        """Ask for an archive."""
        asked_for = AskSerializer(data=request.data)
        asked_for.is_valid(raise_exception=True)
        return self._accepted(lambda: ask_export(require_tenant(), files=asked_for.validated_data["files"]))

    def retrieve(self, request: Request, uid: Any = None) -> Response:
        """How far a job is."""
        return Response(ArchiveSerializer(self._job(uid)).data)

    @action(detail=True)
    def download(self, request: Request, uid: Any = None) -> FileResponse:
        """The archive."""
        job = self._job(uid)
        if (file := file_of(job)) is None:
            raise Gone if is_done(job) else NotFound
        name = f"{require_tenant().slug}.tar.gz"
        return FileResponse(open(file, "rb"), as_attachment=True, filename=name, content_type="application/gzip")

    @action(detail=False, methods=["post"])
    def load(self, request: Request) -> Response:
        """Load an archive of the tenant's own."""
        if (given := request.FILES.get("file")) is None:
            raise ValidationError({"file": ["Send the archive in this field."]})
        try:
            job = ask_import(require_tenant(), given.chunks())
        except ArchiveRefused as error:
            raise ValidationError({"file": [str(error)]}) from error
        return Response(ArchiveSerializer(job).data, status=status.HTTP_202_ACCEPTED)

    def _accepted(self, ask: Any) -> Response:
        try:
            job = ask()
        except ArchiveRefused as error:
            raise Conflict(str(error)) from error
        return Response(ArchiveSerializer(job).data, status=status.HTTP_202_ACCEPTED)

    def _job(self, uid: Any) -> Job:
        for job in asked(require_tenant()):
            if str(job.uid) == str(uid):
                return job
        raise NotFound

"""Django REST framework. Ordinary views and serializers need nothing from here: their queries are scoped
like any other, and the fields that a ModelSerializer makes leave the tenant out. Here is what is new
(throttles are in `drf_throttling.py`):

- `exception_handler` lets DRF's renderers write the 400 for a duplicate that only the database sees;
- `TenantViewSet`, with which operators list, make, suspend and resume tenants.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib.auth import get_permission_codename
from django.db import models, transaction
from rest_framework import mixins, permissions, serializers, status, views, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings

from ..context import get_current_tenant
from ..duplicates import find_duplicate
from ..exceptions import JobFailed, ProvisioningRefused, TenantStatusRefused
from ..lifecycle.provision import sign_up
from ..lifecycle.suspend import resume, suspend
from ..models import AbstractTenant, Job, JobState, TenantStatus, get_tenant_model


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's own handler, which answers 400 as well where the database refused a duplicate within the
    tenant: of a constraint on expressions, or of two requests at the same time. `TenantMiddleware` does that
    without it; named in `REST_FRAMEWORK["EXCEPTION_HANDLER"]` it lets DRF's renderers write the answer. Other
    errors of the database stay what they are."""
    if (found := find_duplicate(error)) is not None:
        key = found.field or api_settings.NON_FIELD_ERRORS_KEY
        code = found.constraint.violation_error_code or "unique"
        return views.exception_handler(ValidationError({key: [found.message]}, code=code), context)
    return views.exception_handler(error, context)


class Conflict(APIException):
    """409: the tenant's status does not allow what was asked."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


class IsOperator(permissions.IsAdminUser):
    """Staff with Django's permission on the tenant model, at a host that names no tenant. Being staff is
    not enough: a tenant's own people are staff where they use the admin."""

    #: Django's permission that each action needs.
    needed: ClassVar[dict[str | None, str]] = {"list": "view", "create": "add", "suspend": "change", "resume": "change"}

    def has_permission(self, request: Request, view: Any) -> bool:
        """Whether the user may do the view's action. The pages of the browsable API need `view`."""
        if not super().has_permission(request, view) or get_current_tenant() is not None:
            return False
        meta = get_tenant_model()._meta
        codename = get_permission_codename(self.needed.get(view.action, "view"), meta)
        return request.user.has_perm(f"{meta.app_label}.{codename}")


class TenantSerializer(serializers.Serializer[AbstractTenant]):
    """A tenant as operators see it. What can be given is what `provision()` takes; the rules for names
    are its own."""

    uid = serializers.UUIDField(read_only=True)
    slug = serializers.CharField(max_length=63)
    name = serializers.CharField(max_length=200, required=False)
    plan = serializers.CharField(max_length=50, required=False, allow_blank=True)
    isolation = serializers.CharField(max_length=20, required=False)
    status = serializers.CharField(read_only=True)
    created_at = serializers.DateTimeField(read_only=True)
    domain = serializers.CharField(max_length=253, required=False, write_only=True)
    admin_email = serializers.EmailField(required=False, write_only=True)

    def create(self, validated_data: dict[str, Any]) -> AbstractTenant:
        """Provision. A name that cannot be had is a `ValidationError`. The same request sent again goes on
        where a failed step left the first. Where no schema or database is ready for it, what is returned is not
        saved, and `fill_pool` goes on."""
        try:
            job = sign_up(**validated_data)
            return job.tenant if job.state == JobState.DONE else _waiting(job)
        except ProvisioningRefused as error:
            raise ValidationError({api_settings.NON_FIELD_ERRORS_KEY: [str(error)]}) from error
        except JobFailed as error:
            raise APIException(str(error)) from error


def _waiting(job: Job) -> AbstractTenant:
    wanted = {name: job.arguments[name] for name in ("name", "plan", "isolation")}
    return get_tenant_model()(uid=None, slug=job.slug, status=TenantStatus.PROVISIONING, created_at=None, **wanted)


class TenantViewSet(mixins.ListModelMixin, mixins.CreateModelMixin, viewsets.GenericViewSet[AbstractTenant]):
    """For operators: `GET /` lists tenants, `POST /` provisions one (202 where it has to wait for a schema or a
    database, see `fill_pool`), `POST /SLUG/suspend/` locks it and
    `POST /SLUG/resume/` lets it work again. It neither changes nor deletes tenants. Route it where no
    tenant is named, and subclass it for permissions or fields of your own."""

    tenant_required = False
    permission_classes = (IsOperator,)
    serializer_class = TenantSerializer
    lookup_field = "slug"

    @classmethod
    def as_view(cls, *args: Any, **kwargs: Any) -> Any:
        """Outside ATOMIC_REQUESTS: each step of provisioning is a transaction of its own, and is kept."""
        return transaction.non_atomic_requests(super().as_view(*args, **kwargs))

    def get_queryset(self) -> models.QuerySet[AbstractTenant]:
        """All tenants by slug."""
        return get_tenant_model()._default_manager.order_by("slug")

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """DRF's own; 202 and not 201 for a tenant that is yet to be."""
        response = super().create(request, *args, **kwargs)
        if response.data["uid"] is None:
            response.status_code = status.HTTP_202_ACCEPTED
        return response

    @action(detail=True, methods=["post"])
    def suspend(self, request: Request, **kwargs: Any) -> Response:
        """Lock the tenant; 409 unless it is active or in maintenance."""
        return self._change(suspend)

    @action(detail=True, methods=["post"])
    def resume(self, request: Request, **kwargs: Any) -> Response:
        """Let the tenant work again; 409 unless it is suspended or in maintenance."""
        return self._change(resume)

    def _change(self, change: Callable[[AbstractTenant], AbstractTenant]) -> Response:
        try:
            tenant = change(self.get_object())
        except TenantStatusRefused as error:
            raise Conflict(str(error)) from error
        return Response(self.get_serializer(tenant).data)

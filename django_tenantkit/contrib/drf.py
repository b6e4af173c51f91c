"""Django REST framework. Ordinary views and serializers need nothing from here: their queries are scoped
like any other, and the fields that a ModelSerializer makes leave the tenant out. Here is what is new
(throttles are in `drf_throttling.py`):

- `exception_handler` turns a duplicate that DRF has no validator for into a 400;
- `TenantViewSet`, with which operators list, make, suspend and resume tenants.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.apps import apps
from django.contrib.auth import get_permission_codename
from django.db import IntegrityError, models, transaction
from rest_framework import mixins, permissions, serializers, status, views, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings

from ..constraints import TenantUniqueConstraint
from ..context import get_current_tenant
from ..exceptions import JobFailed, ProvisioningRefused, TenantStatusRefused
from ..lifecycle.provision import provision
from ..lifecycle.suspend import resume, suspend
from ..models import AbstractTenant, get_tenant_model
from ..registry import tenant_field

UNIQUE_VIOLATION = "23505"  # https://www.postgresql.org/docs/current/errcodes-appendix.html


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's own handler, which answers 400 as well where the database refused a duplicate within the
    tenant: of a constraint on expressions, or of two requests at the same time. Name it in
    `REST_FRAMEWORK["EXCEPTION_HANDLER"]`. Other errors of the database stay what they are."""
    if isinstance(error, IntegrityError) and (found := _violated(error)) is not None:
        return views.exception_handler(_as_validation_error(*found), context)
    return views.exception_handler(error, context)


def _violated(error: IntegrityError) -> tuple[type[models.Model], TenantUniqueConstraint] | None:
    """The constraint that the database names in its error, and its model."""
    cause = error.__cause__
    diagnosis = getattr(cause, "diag", None)
    for model in apps.get_models():
        for constraint in model._meta.constraints:
            if not isinstance(constraint, TenantUniqueConstraint):
                continue
            if diagnosis is None:
                if str(cause) in _sqlite_messages(model, constraint):
                    return model, constraint
            elif (diagnosis.sqlstate, diagnosis.constraint_name) == (UNIQUE_VIOLATION, constraint.name):
                return model, constraint
    return None


def _sqlite_messages(model: type[models.Model], constraint: TenantUniqueConstraint) -> tuple[str, str]:
    """SQLite names an index on expressions, and otherwise the columns of the constraint."""
    fields = [tenant_field(model), *map(model._meta.get_field, constraint.fields)]
    columns = ", ".join(f"{model._meta.db_table}.{field.column}" for field in fields)
    return f"UNIQUE constraint failed: index '{constraint.name}'", f"UNIQUE constraint failed: {columns}"


def _as_validation_error(model: type[models.Model], constraint: TenantUniqueConstraint) -> ValidationError:
    key = constraint.fields[0] if len(constraint.fields) == 1 else api_settings.NON_FIELD_ERRORS_KEY
    message = constraint.get_violation_error_message()
    if constraint.fields and constraint.violation_error_message == constraint.default_violation_error_message:
        message = " ".join(model().unique_error_message(model, constraint.fields).messages)
    return ValidationError({key: [message]}, code=constraint.violation_error_code or "unique")


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
    status = serializers.CharField(read_only=True)
    created_at = serializers.DateTimeField(read_only=True)
    domain = serializers.CharField(max_length=253, required=False, write_only=True)
    admin_email = serializers.EmailField(required=False, write_only=True)

    def create(self, validated_data: dict[str, Any]) -> AbstractTenant:
        """Provision. A name that cannot be had is a `ValidationError`. The same request sent again goes on
        where a failed step left the first."""
        try:
            return provision(**validated_data)
        except ProvisioningRefused as error:
            raise ValidationError({api_settings.NON_FIELD_ERRORS_KEY: [str(error)]}) from error
        except JobFailed as error:
            raise APIException(str(error)) from error


class TenantViewSet(mixins.ListModelMixin, mixins.CreateModelMixin, viewsets.GenericViewSet[AbstractTenant]):
    """For operators: `GET /` lists tenants, `POST /` provisions one, `POST /SLUG/suspend/` locks it and
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

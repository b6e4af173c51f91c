"""What provisioning makes, and what it refuses before it changes anything."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core import mail
from django.test import override_settings
from django.urls import include, path

from django_tenantkit import get_current_tenant, tenant_context, unscoped
from django_tenantkit.conf import conf
from django_tenantkit.exceptions import JobFailed, ProvisioningRefused, TenantkitError
from django_tenantkit.lifecycle.provision import prepare, provision, resume
from django_tenantkit.models import Domain, Job, JobState, Membership, Tenant, TenantStatus
from django_tenantkit.signals import tenant_provisioned, tenant_status_changed
from django_tenantkit.testing.client import TenantClient
from tests.lifecycle.helpers import STEPS, WANTED
from tests.testapp.models import Customer, Tag

pytestmark = pytest.mark.django_db

HELPERS = "tests.lifecycle.helpers"
User = get_user_model()

urlpatterns = [path("accounts/", include("django.contrib.auth.urls"))]


def nothing_was_made() -> bool:
    return not any(model.objects.exists() for model in (Tenant, Domain, Job, Membership, User))


def test_the_tenant_is_active_and_as_asked_for() -> None:
    tenant = provision("acme", **WANTED)
    assert (tenant.slug, tenant.name, tenant.plan) == ("acme", "Acme Ltd", "gold")
    assert tenant.settings == {"theme": "dark"}
    assert tenant.status == TenantStatus.ACTIVE


def test_a_slug_is_enough() -> None:
    tenant = provision("acme")
    assert tenant.name == "acme"
    assert tenant.is_active
    assert not Domain.objects.exists()


def test_nobody_is_left_in_the_tenant() -> None:
    provision("acme")
    assert get_current_tenant() is None


def test_it_can_be_called_inside_another_tenant() -> None:
    globex = provision("globex")
    with tenant_context(globex):
        provision("acme")
        assert get_current_tenant() == globex


def test_the_domain_is_primary_and_leads_nowhere_until_it_is_verified() -> None:
    provision("acme", domain="Shop.Acme.org.")
    domain = Domain.objects.get()
    assert (domain.domain, domain.is_primary, domain.verified_at) == ("shop.acme.org", True, None)


def test_an_operator_can_say_that_the_domain_is_verified() -> None:
    provision("acme", domain="shop.acme.org", domain_verified=True)
    assert Domain.objects.get().verified_at is not None


def test_an_unknown_admin_is_made_without_a_usable_password() -> None:
    tenant = provision("acme", admin_email="ann@acme.org")
    membership = Membership.objects.get()
    assert (membership.tenant, membership.role) == (tenant, "admin")
    assert membership.user.email == membership.user.username == "ann@acme.org"
    assert not membership.user.has_usable_password()


def test_a_known_admin_is_found_in_whatever_case() -> None:
    ann = User.objects.create_user("ann", "Ann@Acme.org", "secret")
    provision("acme", admin_email="ann@acme.ORG")
    assert Membership.objects.get().user == ann
    assert User.objects.get().has_usable_password()


def test_an_address_that_only_looks_the_same_is_somebody_else() -> None:
    impostor = User.objects.create_user("x", "m\u0131ke@acme.org")
    provision("acme", admin_email="mike@acme.org")
    assert Membership.objects.get().user != impostor


@pytest.mark.parametrize(
    "others", [[("a", "ann@acme.org"), ("b", "ANN@acme.org")], [("ann@acme.org", "eve@example.net")]]
)
def test_an_address_that_could_mean_two_people_is_refused(others: list[tuple[str, str]]) -> None:
    for name, email in others:
        User.objects.create_user(name, email)
    with pytest.raises(ProvisioningRefused, match="several users"):
        provision("acme", admin_email="ann@acme.org")
    assert not Job.objects.exists()


def test_default_data_are_made_inside_the_tenant(settings: Any) -> None:
    settings.TENANTKIT_DEFAULT_DATA = f"{HELPERS}.fill"
    tenant = provision("acme")
    with tenant_context(tenant):
        assert Customer.objects.get().name == "first of acme"


def test_a_step_of_ones_own_runs_inside_the_tenant(settings: Any) -> None:
    settings.TENANTKIT_PROVISIONING = [*conf.PROVISIONING, f"{HELPERS}.own_step"]
    tenant = provision("acme")
    with tenant_context(tenant):
        assert Tag.objects.get().label == "own acme"


def test_each_step_is_recorded_in_order() -> None:
    provision("acme")
    job = Job.objects.get()
    assert job.state == JobState.DONE
    assert job.steps_done == [*conf.PROVISIONING, f"{STEPS}.announce"]
    assert all(step["seconds"] >= 0 and step["at"] for step in job.steps)


def test_the_signals_come_in_order_and_in_no_tenant() -> None:
    seen: list[Any] = []

    def receive(signal: Any, tenant: Tenant, **kwargs: Any) -> None:
        seen.append((signal, tenant.slug, get_current_tenant(), kwargs.get("old"), kwargs.get("new")))

    for signal in (tenant_status_changed, tenant_provisioned):
        signal.connect(receive)
    try:
        provision("acme")
    finally:
        for signal in (tenant_status_changed, tenant_provisioned):
            signal.disconnect(receive)
    assert seen == [
        (tenant_status_changed, "acme", None, "provisioning", "active"),
        (tenant_provisioned, "acme", None, None, None),
    ]


class TestMail:
    def test_none_is_sent_unless_the_setting_says_so(self) -> None:
        provision("acme", admin_email="ann@acme.org")
        assert mail.outbox == []

    @override_settings(TENANTKIT_WELCOME_MAIL=True)
    def test_none_is_sent_where_there_is_no_admin(self) -> None:
        provision("acme")
        assert mail.outbox == []

    @override_settings(TENANTKIT_WELCOME_MAIL=True)
    def test_it_names_the_tenant_and_its_address(self) -> None:
        provision("acme", "Acme & Sons", admin_email="ann@acme.org")
        (message,) = mail.outbox
        assert message.to == ["ann@acme.org"]
        assert message.subject == "Welcome to Acme & Sons"
        assert "Acme & Sons is ready: https://acme.example.com/" in message.body

    @override_settings(TENANTKIT_WELCOME_MAIL=True, ROOT_URLCONF=__name__)
    def test_a_new_user_gets_a_link_that_sets_a_password(self) -> None:
        tenant = provision("acme", admin_email="ann@acme.org")
        link = mail.outbox[0].body.split("password here: ")[1].split()[0]
        assert link.startswith("https://acme.example.com/accounts/reset/")
        page = TenantClient(tenant).get(link.removeprefix("https://acme.example.com"))
        assert page.headers["Location"].endswith("/set-password/")

    @override_settings(TENANTKIT_WELCOME_MAIL=True, ROOT_URLCONF=__name__)
    def test_a_user_with_a_password_gets_no_such_link(self) -> None:
        User.objects.create_user("ann", "ann@acme.org", "secret")
        provision("acme", admin_email="ann@acme.org")
        assert "/reset/" not in mail.outbox[0].body


@pytest.mark.parametrize(
    ("slug", "because"),
    [
        ("", "cannot be a slug"),
        ("Acme", "cannot be a slug"),
        ("9lives", "beginning with a letter"),
        ("123", "beginning with a letter"),
        ("acme-", "cannot be a slug"),
        ("a" * 64, "cannot be a slug"),
        ("xn--acme", "encoded names"),
        ("abcdefabcdefabcdefabcdefabcdefab", "shaped like a UUID"),
        ("www", "is reserved"),
    ],
)
def test_a_bad_slug_is_refused(slug: str, because: str) -> None:
    with pytest.raises(ProvisioningRefused, match=because):
        provision(slug)
    assert nothing_was_made()


@pytest.mark.parametrize(
    ("wanted", "because"),
    [
        ({"domain": "nonsense"}, "is not a domain name"),
        ({"domain": "shop.example.com"}, "under the base domain"),
        ({"admin_email": "ann"}, "cannot be the admin's e-mail address"),
        ({"admin_email": f"{'a' * 60}@{'b' * 60}.{'c' * 60}.org"}, "cannot be the admin's e-mail address"),
        ({"name": "n" * 201}, "name: .*200"),
        ({"plan": "p" * 51}, "plan: .*50"),
        ({"name": "n\0"}, "null character"),
        ({"name": "\udce9"}, "cannot be stored as JSON"),
        ({"settings": {"when": frozenset()}}, "settings: .*JSON|stored as JSON"),
        ({"settings": {"ratio": float("nan")}}, "cannot be stored as JSON"),
    ],
    ids=str,
)
def test_a_bad_value_is_refused(wanted: dict[str, Any], because: str) -> None:
    with pytest.raises(ProvisioningRefused, match=because):
        provision("acme", **wanted)
    assert nothing_was_made()


def test_a_step_that_does_not_exist_is_refused_before_anything_is_made(settings: Any) -> None:
    settings.TENANTKIT_PROVISIONING = [*conf.PROVISIONING, f"{HELPERS}.missing"]
    with pytest.raises(ProvisioningRefused, match="missing"):
        provision("acme")
    assert nothing_was_made()


@pytest.mark.parametrize("lacking", ["make_domain", "make_admin"])
def test_a_tenant_that_lacks_what_was_asked_for_is_not_activated(lacking: str, settings: Any) -> None:
    settings.TENANTKIT_PROVISIONING = [step for step in conf.PROVISIONING if not step.endswith(lacking)]
    with pytest.raises(JobFailed, match=f"has no {lacking.removeprefix('make_')}"):
        provision("acme", **WANTED)
    assert Tenant.objects.get().status == TenantStatus.PROVISIONING


def test_a_list_of_steps_that_makes_no_tenant_is_an_error(settings: Any) -> None:
    settings.TENANTKIT_PROVISIONING = [f"{HELPERS}.do_nothing"]
    with pytest.raises(TenantkitError, match="No step made a tenant"):
        provision("acme")


class TestAFailingStep:
    @pytest.fixture(autouse=True)
    def failing(self, settings: Any) -> None:
        settings.TENANTKIT_PROVISIONING = [*conf.PROVISIONING[:4], f"{HELPERS}.failing_step", *conf.PROVISIONING[4:]]

    def failed(self) -> Job:
        with pytest.raises(JobFailed):
            provision("acme", **WANTED)
        return Job.objects.get()

    def test_the_error_names_the_step_the_cause_and_the_cure(self) -> None:
        with pytest.raises(JobFailed) as caught:
            provision("acme", **WANTED)
        message, job = str(caught.value), Job.objects.get()
        assert "failing_step" in message
        assert "RuntimeError: no such luck" in message
        assert f"create_tenant --resume {job.uid}" in message

    def test_it_is_in_the_ledger(self) -> None:
        job = self.failed()
        assert job.state == JobState.FAILED
        assert "no such luck" in job.error

    def test_what_it_did_is_undone_and_what_was_done_before_is_kept(self) -> None:
        job = self.failed()
        assert job.steps_done == conf.PROVISIONING[:4]
        with unscoped(reason="count"):
            assert not Tag.objects.exists()
        assert Membership.objects.exists()

    def test_the_tenant_does_not_work(self) -> None:
        self.failed()
        assert Tenant.objects.get().status == TenantStatus.PROVISIONING

    def test_it_is_finished_by_its_uid_once_the_cause_is_gone(self, settings: Any) -> None:
        job = self.failed()
        settings.TENANTKIT_PROVISIONING = [step for step in conf.PROVISIONING if "failing" not in step]
        assert resume(job.uid).is_active
        job.refresh_from_db()
        assert (job.state, job.error, job.attempts) == (JobState.DONE, "", 2)

    def test_it_is_finished_by_the_same_arguments(self, settings: Any) -> None:
        self.failed()
        settings.TENANTKIT_PROVISIONING = [step for step in conf.PROVISIONING if "failing" not in step]
        assert provision("acme", **WANTED).is_active
        assert Job.objects.count() == Tenant.objects.count() == 1


def test_preparing_tells_the_steps_and_changes_nothing() -> None:
    plan = prepare("acme", **WANTED)
    assert plan.job is None
    assert plan.steps == [*conf.PROVISIONING, f"{STEPS}.announce"]
    assert nothing_was_made()

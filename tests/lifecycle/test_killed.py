"""kill -9 in the middle of each step of provisioning, before and after its work: nothing is lost, nothing is
there twice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, transaction

from django_tenantkit import tenant_context
from django_tenantkit.conf import conf
from django_tenantkit.lifecycle.provision import provision, resume
from django_tenantkit.models import Domain, Job, JobState, Membership, Tenant, TenantStatus
from tests.lifecycle.helpers import STEPS, WANTED, child
from tests.lifecycle.killable import OWN_STEP, SETTINGS
from tests.testapp.models import Customer, Tag

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="the process needs a database of its own"),
]

NAMES = ["make_tenant", "make_domain", "make_admin", "make_default_data", "activate", "send_welcome"]
ANNOUNCE = f"{STEPS}.announce"
FUNCTIONS = [*(f"{STEPS}.{name}" for name in NAMES), OWN_STEP, f"{STEPS}.tenant_provisioned.send"]


@pytest.fixture(autouse=True)
def mails(settings: Any, tmp_path: Path) -> Iterator[Path]:
    """The steps of the killed process, here too; the mails of both go to this directory."""
    for name, value in SETTINGS.items():
        setattr(settings, name, value)
    settings.TENANTKIT_PROVISIONING = [*conf.PROVISIONING, OWN_STEP]
    settings.EMAIL_FILE_PATH = str(tmp_path)
    return tmp_path


def killed(function: str, moment: str, mails: Path) -> None:
    """Provision acme in a process, and kill it there."""
    with child("tests.lifecycle.killable", function, moment, env={"MAILS": str(mails)}) as process:
        assert process.stdout.readline() == "stopped\n", process.communicate()[1]
        process.kill()
    with transaction.atomic():  # the server has noticed when the dead connection's locks are gone
        list(Job.objects.select_for_update())


def message_ids(mails: Path) -> list[str]:
    return re.findall(r"^Message-ID: (.*)$", "\n".join(file.read_text() for file in mails.iterdir()), re.MULTILINE)


def assert_complete_once() -> None:
    tenant = Tenant.objects.get()
    assert (tenant.slug, tenant.name, tenant.plan) == ("acme", "Acme Ltd", "gold")
    assert tenant.status == TenantStatus.ACTIVE
    assert Domain.objects.get().tenant == tenant
    assert Membership.objects.get(tenant=tenant, role="admin").user == get_user_model().objects.get()
    with tenant_context(tenant):
        assert Customer.objects.count() == Tag.objects.count() == 1
    job = Job.objects.get()
    assert job.state == JobState.DONE
    assert job.steps_done == [*conf.PROVISIONING, ANNOUNCE]


@pytest.mark.parametrize("moment", ["begin", "end"])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_killed_job_is_finished_by_the_same_call(function: str, moment: str, mails: Path) -> None:
    killed(function, moment, mails)
    unfinished = Job.objects.get()
    assert unfinished.state == JobState.RUNNING
    assert function not in unfinished.steps_done
    provision("acme", **WANTED)
    assert_complete_once()
    assert len(set(message_ids(mails))) == 1


def test_a_killed_job_is_finished_by_its_uid(mails: Path) -> None:
    killed(f"{STEPS}.make_admin", "end", mails)
    resume(Job.objects.get().uid)
    assert_complete_once()
    assert len(message_ids(mails)) == 1


def test_a_job_killed_again_and_again_is_finished(mails: Path) -> None:
    for function in (f"{STEPS}.make_tenant", f"{STEPS}.make_default_data", OWN_STEP):
        killed(function, "end", mails)
    provision("acme", **WANTED)
    assert_complete_once()
    assert len(message_ids(mails)) == 1


def test_killed_while_it_claims_the_name_leaves_nothing(mails: Path) -> None:
    killed("django_tenantkit.lifecycle.provision.refuse_taken", "end", mails)
    assert not Job.objects.exists()
    provision("acme", **WANTED)
    assert_complete_once()


def test_only_a_mail_that_was_sent_but_not_recorded_is_sent_again_under_the_same_id(mails: Path) -> None:
    killed(f"{STEPS}.send_welcome", "end", mails)
    provision("acme", **WANTED)
    first, second = message_ids(mails)
    assert first == second


def test_a_mail_that_was_recorded_is_not_sent_again(mails: Path) -> None:
    killed(OWN_STEP, "begin", mails)
    provision("acme", **WANTED)
    assert len(message_ids(mails)) == 1

"""Stories of shared rows in a shard: their copies stay while somebody there refers to them, and go with the last."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from unittest.mock import patch

from django.core.management import call_command
from django.db import connections, transaction
from django.test import override_settings

Seen = dict[str, Any]

#: The tables of which the stories look at copies, and what tells one row from another.
TABLES = {
    "auth_user": "username",
    "testapp_plan": "name",
    "testapp_region": "name",
    "django_tenantkit_tenant": "slug",
    "django_tenantkit_domain": "domain",
}


@contextmanager
def at_once() -> Iterator[None]:
    """No process has to forget first what it believes."""
    with override_settings(TENANTKIT_LOOKUP_SECONDS=0), patch("django_tenantkit.lifecycle.sweeping.GAP", 0):
        yield


def eu() -> str:
    from django_tenantkit.isolation.entries import shard_alias

    return shard_alias("eu")


def asked(alias: str, *statements: str) -> list[list[Any]]:
    """The first column of what the system gets for each statement."""
    from django_tenantkit import tenant_context

    found = []
    with tenant_context(None), connections[alias].as_system(), connections[alias].cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
            found.append([row[0] for row in cursor.fetchall()])
    return found


def copies() -> dict[str, list[str]]:
    """What there is of shared rows in the shard, by table."""
    found = asked(eu(), *(f"SELECT {name} FROM public.{table} ORDER BY 1" for table, name in TABLES.items()))
    return {table: names for table, names in zip(TABLES, found, strict=True) if names}


def registered() -> int:
    """How many single rows the main database pushes to the shard."""
    query = f"SELECT count(*) FROM tenantkit.copies WHERE home = '{eu()}' AND key <> '*'"
    return int(asked("default", query)[0][0])


def user(name: str) -> Any:
    from django.contrib.auth import get_user_model

    return get_user_model()._default_manager.create(username=name)


def owned(tenant: Any, by: Any, number: str) -> Any:
    """A row of a tenant that refers to a user."""
    from django_tenantkit import tenant_context
    from tests.testapp.models import Customer, Invoice

    with tenant_context(tenant):
        customer = Customer.objects.get_or_create(name="first")[0]
        return Invoice.objects.create(customer=customer, number=number, owner=by)


def disown(tenant: Any, by: Any) -> None:
    from django_tenantkit import tenant_context
    from tests.testapp.models import Invoice

    with tenant_context(tenant):
        Invoice.objects.filter(owner_id=by.pk).delete()


def settle(tenants: list[Any]) -> tuple[Any, Any]:
    """Rows of the first tenant that refer to shared ones in each way, and of the second to some of them."""
    from django_tenantkit import tenant_context, unscoped
    from django_tenantkit.models import Domain
    from tests.testapp.models import Customer, Note, Plan, Region

    ann, bob = user("ann"), user("bob")
    gold, own = Plan.objects.create(name="gold"), Plan.objects.create(name="own")
    north = Region.objects.create(name="north")
    with unscoped(reason="test"):
        domain = Domain.objects.create(tenant=tenants[0], domain="acme.example.org")
    with tenant_context(tenants[0]):
        Customer.objects.create(name="a", plan=own)
        Customer.objects.create(name="b", plan=gold)
        Note.objects.create(subject=north, text="generic")
        Note.objects.create(subject=domain, text="generic, and it refers to the tenant")
    owned(tenants[0], ann, "1")
    for tenant in tenants:
        owned(tenant, bob, "2")
    with tenant_context(tenants[1]):
        Customer.objects.create(name="c", plan=gold)
    return ann, bob


def sees(tenant: Any) -> list[Any]:
    """What a tenant's rows refer to, read through its copies."""
    from django_tenantkit import tenant_context
    from tests.testapp.models import Customer, Invoice

    with tenant_context(tenant):
        return [
            *Customer.objects.filter(plan__name__gt="").values_list("plan__name", flat=True),
            *Invoice.objects.filter(owner__username__gt="").values_list("owner__username", flat=True),
        ]


def departed() -> Seen:
    """One tenant moves away, the next is erased."""
    from django_tenantkit.lifecycle.move.run import move
    from django_tenantkit.models import Place
    from tests.shards.stories import make, told

    acme, globex = make("acme"), make("globex")
    ann, bob = settle([acme, globex])
    seen: Seen = {"first": copies()}
    with at_once():
        move(acme, "schema")
        seen["while it may come back"] = copies() == seen["first"]
        Place.objects.filter(left_by=acme.uid).update(drop_after="2000-01-01")
        seen["dropped"] = told("fill_pool")["out"]
        seen["moved away"], seen["the other"] = copies(), sees(globex)
        ann.username, bob.username = "anna", "robert"
        ann.save()
        bob.save()
        seen["changed"] = copies()["auth_user"]
        seen["audited"] = told("check_tenants", "--only", "copy")["out"]
        call_command("suspend_tenant", "globex", stdout=sys.stderr)
        seen["erased"] = told("erase_tenant", "globex", "--yes-erase", "globex", "--now")["code"]
        seen["nobody"], seen["registered"] = copies(), registered()
    return seen


def given_up() -> Seen:
    """A tenant that comes half way, and one whose rows have left while it stays: by `push_copies --all`."""
    from django_tenantkit.lifecycle.move.run import give_up, move
    from django_tenantkit.models import Job
    from tests.shards.stories import make, told

    acme, main = make("acme"), make("main", server="")
    ann, bob = user("ann"), user("bob")
    owned(main, bob, "1")
    owned(acme, ann, "1")
    seen: Seen = {}
    with at_once():
        with patch("django_tenantkit.lifecycle.move.run.step_aside", side_effect=ValueError), suppress(Exception):
            move(main, "schema", "eu")
        seen["half"] = copies()["auth_user"]
        give_up(Job.objects.get(kind="move").uid)
        seen["given up"] = copies()["auth_user"]
        disown(acme, ann)
        seen["dry"] = [told("push_copies", "--all", "--dry-run")["code"], copies()["auth_user"]]
        seen["pushed"] = told("push_copies", "--all")["out"]
        seen["left"] = copies()
    return seen


def interrupted() -> Seen:
    """Ended before and after each of its statements that locks or writes, and done by the next call."""
    from django_tenantkit.lifecycle.sweeping import sweep
    from tests.shards.stories import make

    acme = make("acme")
    seen: Seen = {"times": 0, "whole": 0, "kept": 0}
    bob = user("bob")
    owned(acme, bob, "kept")
    at, ended = 0, True

    class EndedError(BaseException):
        pass

    def ending(execute: Any, statement: Any, *rest: Any) -> Any:
        """Two points at each statement that does something."""
        nonlocal left
        counts = statement.startswith("DELETE") or " FOR UPDATE" in statement or "tenantkit." in statement
        left -= counts
        if left < 0 and counts:
            raise EndedError
        found = execute(statement, *rest)
        left -= counts
        if left < 0 and counts:
            raise EndedError
        return found

    with at_once():
        while ended:
            ann = user(f"ann{at}")
            owned(acme, ann, "goes")
            disown(acme, ann)
            left, ended = at, False
            main: Any = connections["default"]
            with main.execute_wrapper(ending), connections[eu()].execute_wrapper(ending):
                try:
                    sweep("eu")
                except EndedError:
                    ended = True
            for alias in ("default", eu()):
                connections[alias].close()
            sweep("eu")
            seen["times"] += 1
            seen["whole"] += (copies()["auth_user"], registered()) == (["bob"], 2)  # and the tenant's
            seen["kept"] += sees(acme) == ["bob"]
            at += 1
    return seen


def in_a_thread(work: Callable[[], Any]) -> Any:
    """Run something on connections of its own, to its end."""
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(work())
        finally:
            connections.close_all()
            connections[eu()].close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return found[0] if found else None


class Held:
    """A transaction in another thread, which refers to a user and stays open until it is told."""

    def __init__(self, tenant: Any, by: Any) -> None:
        self.written, self.told = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self._run, args=(tenant, by), daemon=True)

    def __enter__(self) -> Held:
        self.thread.start()
        self.written.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self.told.set()
        self.thread.join()

    def _run(self, tenant: Any, by: Any) -> None:
        from django_tenantkit import tenant_context

        try:
            with tenant_context(tenant), transaction.atomic():
                owned(tenant, by, "held")
                self.written.set()
                self.told.wait()
        finally:
            self.written.set()
            connections.close_all()
            connections[eu()].close()


def again() -> Seen:
    """Referred to again while the copy is on its way out: at each moment at which that can be."""
    from django_tenantkit import tenant_context
    from django_tenantkit.isolation import copying
    from django_tenantkit.lifecycle import sweeping
    from django_tenantkit.lifecycle.shards import schemas_on
    from tests.shards.stories import make, raised

    acme = make("acme")
    seen: Seen = {}

    def idle(name: str) -> Any:
        """A user to whose copy nobody refers, and which this process believes to be there."""
        ann = user(name)
        owned(acme, ann, "goes")
        disown(acme, ann)
        return ann

    def state(ann: Any) -> list[Any]:
        """Whether its copy is there, seen by the tenant, and kept up to date."""
        there = ann.username in copies().get("auth_user", [])
        ann.username += " changed"
        ann.save()
        found = [there, ann.username in copies().get("auth_user", []), ann.username in sees(acme)]
        disown(acme, ann)
        return found

    def before(function: str, work: Callable[[], Any]) -> Any:
        """Have something happen once, right before a part of the sweep."""
        real, left = getattr(sweeping, function), [work]

        def called(*arguments: Any) -> Any:
            while left:
                in_a_thread(left.pop())
            return real(*arguments)

        return patch.object(sweeping, function, called)

    believing = override_settings(TENANTKIT_LOOKUP_SECONDS=1000)
    with patch("time.sleep"), believing:
        ann = idle("believed")
        with before("_wait_for_writers", lambda: owned(acme, ann, "again")):
            sweeping.sweep("eu")
        seen["by one who believes it is there"] = state(ann)
        ann = idle("in a transaction")
        with Held(acme, ann), override_settings(TENANTKIT_FENCE_SECONDS=0):
            seen["refused"] = raised(lambda: sweeping.sweep("eu"))
        seen["in a transaction of one who believes"] = state(ann)
    with at_once():
        ann = idle("brought")
        with before("_remove", lambda: owned(acme, ann, "again")):
            sweeping.sweep("eu")
        seen["brought before it is removed"] = state(ann)
        ann = idle("brought open")
        held = Held(acme, ann)
        with before("_remove", held.__enter__), patch.object(sweeping, "ROUNDS", 1):  # the next one would wait for it
            sweeping.sweep("eu")
        held.__exit__()
        seen["brought by a transaction that is open"] = state(ann)
        ann = idle("gone")
        with before("_unregister", lambda: owned(acme, ann, "again")):
            sweeping.sweep("eu")
        seen["brought when it was removed"] = state(ann)
        ann = idle("gone open")
        held = Held(acme, ann)
        with before("_unregister", held.__enter__):
            sweeping.sweep("eu")
        held.__exit__()
        seen["brought then, and open"] = state(ann)
        ann = idle("about to be named")
        with before("_remove", lambda: brought(acme, ann)), patch.object(sweeping, "ROUNDS", 1):
            sweeping.sweep("eu")
        seen["brought, and not named yet"] = ann.username in copies().get("auth_user", [])
        ann = idle("taken off")
        sweeping.sweep("eu")
        in_a_thread(lambda: copying._register(connections["default"], eu(), type(ann), [str(ann.pk)]))
        looks = iter([lambda: None, lambda: owned(acme, ann, "again")])

        def looking(*where: Any) -> Any:
            in_a_thread(next(looks))
            return real(*where)

        real = sweeping._versions
        with tenant_context(None), schemas_on("eu") as connection:
            looked = patch.object(sweeping, "_versions", looking)
            with looked, patch.object(copying, "_register"), patch.object(sweeping, "copy_again") as back:
                sweeping._unregister(connection)
            copying.copy_again(*back.call_args.args)
        seen["put on the list again"] = state(ann)
        ann = idle("pushed")
        with before("_remove", lambda: type(ann).objects.filter(pk=ann.pk).update(first_name="Ann")):
            sweeping.sweep("eu")
        seen["only changed"] = ann.username in copies().get("auth_user", [])
        ann = idle("arriving")
        seen["while a tenant arrives"] = in_a_thread(lambda: arrives(lambda: raised(lambda: sweeping.sweep("eu"))))
    return seen


def brought(tenant: Any, by: Any) -> None:
    """Bring a row, as the statement does that is about to refer to it."""
    from django_tenantkit import tenant_context
    from django_tenantkit.isolation.copying import bring

    with tenant_context(tenant):
        bring(connections[eu()], {type(by): {str(by.pk)}})


def arrives(work: Callable[[], Any]) -> Any:
    """Do something while another connection brings a tenant to the shard."""
    from django_tenantkit import tenant_context
    from django_tenantkit.lifecycle.sweeping import arriving

    with tenant_context(None), connections[eu()].as_system():
        connections[eu()].ensure_connection()
        with arriving(connections[eu()].connection), override_settings(TENANTKIT_FENCE_SECONDS=0):
            return in_a_thread(work)


STORIES: dict[str, Callable[[], Seen]] = {one.__name__: one for one in (departed, given_up, interrupted, again)}

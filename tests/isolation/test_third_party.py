"""Managers and models of a package that knows nothing of tenants: treebeard's trees."""

from __future__ import annotations

import pytest
from django.db import connection, models

from django_tenantkit import tenant_context
from django_tenantkit.constraints import TenantUniqueConstraint
from django_tenantkit.exceptions import NoCurrentTenant
from django_tenantkit.models import Tenant, TenantModel

treebeard = pytest.importorskip("treebeard.mp_tree")


@pytest.fixture(scope="module")
def topic():
    """A tree of topics; its paths are unique within the tenant, as every tenant has a first root."""

    class Topic(TenantModel, treebeard.MP_Node):
        name = models.CharField(max_length=20)
        path = models.CharField(max_length=255)

        class Meta:
            app_label = "testapp"
            constraints = (TenantUniqueConstraint(fields=["path"], name="unique_topic_path"),)

    yield Topic
    del Topic._meta.apps.all_models["testapp"]["topic"]
    Topic._meta.apps.clear_cache()


@pytest.fixture
def trees(topic, transactional_db):
    """The same tree in two tenants, told apart by the names."""
    with connection.schema_editor() as editor:
        editor.create_model(topic)
    tenants = [Tenant.objects.create(slug=slug, name=slug) for slug in ("acme", "globex")]
    for tenant in tenants:
        with tenant_context(tenant):
            root = topic.add_root(name=f"{tenant.slug} root")
            root.add_child(name=f"{tenant.slug} a").add_child(name=f"{tenant.slug} b")
            topic.objects.get(pk=root.pk).add_child(name=f"{tenant.slug} c")
    yield tenants
    with connection.schema_editor() as editor:
        editor.delete_model(topic)


def names(nodes) -> list[str]:
    return [node.name for node in nodes]


def test_trees_of_tenants_are_apart(topic, trees):
    for tenant in trees:
        with tenant_context(tenant):
            root = topic.get_first_root_node()
            assert root.path == "0001"
            assert names(topic.get_tree()) == [f"{tenant.slug} {name}" for name in ("root", "a", "b", "c")]
            assert names(root.get_children()) == [f"{tenant.slug} a", f"{tenant.slug} c"]
            assert root.get_descendant_count() == 3
            assert root.numchild == 2


def test_moving_and_deleting_touch_no_other_tree(topic, trees):
    acme, globex = trees
    with tenant_context(globex):
        before = list(topic.objects.values())
    with tenant_context(acme):
        root = topic.get_first_root_node()
        topic.objects.get(name="acme c").move(topic.objects.get(name="acme a"), "first-child")
        assert names(topic.get_tree()) == ["acme root", "acme a", "acme c", "acme b"]
        topic.objects.get(pk=root.pk).delete()
        assert not topic.objects.exists()
    with tenant_context(globex):
        assert list(topic.objects.values()) == before


def test_with_no_tenant_there_is_no_tree(topic, trees):
    with pytest.raises(NoCurrentTenant):
        topic.get_tree().first()


def test_the_manager_is_the_packages_own(topic):
    assert type(topic.objects) is treebeard.MP_NodeManager

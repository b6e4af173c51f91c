"""What a host names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_tenantkit.hosts import NOBODY, read_host
from django_tenantkit.lookup import Name


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("acme.example.com", Name("slug", "acme")),
        ("acme.example.com:8000", Name("slug", "acme")),
        ("ACME.Example.COM", Name("slug", "acme")),
        ("acme.example.com.", Name("slug", "acme")),
        ("acme.example.com.:443", Name("slug", "acme")),
        ("app.acme.org", Name("domain", "app.acme.org")),
        ("APP.Acme.ORG.", Name("domain", "app.acme.org")),
        ("bücher.example", Name("domain", "xn--bcher-kva.example")),
        ("xn--bcher-kva.example", Name("domain", "xn--bcher-kva.example")),
        ("example.com", None),
        ("EXAMPLE.com:80", None),
        ("www.example.com", None),
        ("api.example.com", None),
        ("a.b.example.com", Name(NOBODY, "a.b")),
        ("acme..example.com", Name(NOBODY, "acme.")),
        ("xn--bcher-kva.example.com", Name(NOBODY, "xn--bcher-kva")),
        ("123.example.com", Name(NOBODY, "123")),
        ("notexample.com", Name("domain", "notexample.com")),
        ("127.0.0.1:8000", Name("domain", "127.0.0.1")),
        ("[::1]:8000", Name("domain", "[::1]")),
    ],
)
def test_a_host_names(host, name):
    assert read_host(host) == name


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("acme.example.com", Name("slug", "acme")),
        ("eu.example.com", None),
        ("acme.eu.example.com", Name("slug", "acme")),
        ("acme.other.org", Name("slug", "acme")),
        ("acme.localhost", Name("slug", "acme")),
    ],
)
def test_base_domains_may_be_nested(settings, host, name):
    settings.TENANTKIT_BASE_DOMAIN = ["example.com", "eu.example.com", "Other.org.", "localhost:8000"]
    assert read_host(host) == name


def test_a_change_of_settings_is_seen(settings):
    assert read_host("shop.example.com") == Name("slug", "shop")
    settings.TENANTKIT_RESERVED_NAMES = ["shop"]
    assert read_host("shop.example.com") is None
    settings.TENANTKIT_BASE_DOMAIN = "example.org"
    assert read_host("shop.example.com") == Name("domain", "shop.example.com")


def test_a_change_in_place_is_seen(settings):
    settings.TENANTKIT_BASE_DOMAIN = ["example.com"]
    assert read_host("acme.example.org") == Name("domain", "acme.example.org")
    settings.TENANTKIT_BASE_DOMAIN.append("example.org")
    assert read_host("acme.example.org") == Name("slug", "acme")


@given(st.text(max_size=80))
def test_any_text_is_a_name_or_none(text):
    name = read_host(text)
    assert name is None or name.kind in {"slug", "domain", NOBODY}


@given(st.text(max_size=20))
def test_what_is_under_the_base_domain_is_never_a_custom_domain(text):
    name = read_host(f"x{text}.example.com".replace(":", ""))
    assert name is None or name.kind != "domain"

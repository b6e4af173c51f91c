"""A browser of sorts: it fills in the forms of pages, and looks on each page for what is somebody else's."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

from django_tenantkit.testing.client import TenantClient

SLUGS = ("acme", "globex", "initech")


class Browser(TenantClient):
    """A client at a tenant's host. A page that names another tenant fails the test, and so does an error."""

    def request(self, **request: Any) -> Any:
        response = super().request(**request)
        assert response.status_code < 500
        self.look_at(response)
        return response

    def look_at(self, response: Any) -> None:
        if response.streaming:
            return
        text = response.content.decode(errors="replace").lower()
        for slug in SLUGS:
            if slug != self.tenant.slug:
                assert slug not in text, f"{slug} on a page of {self.tenant.slug}: {around(text, slug)}"

    def fill_in(self, path: str, at: str = "", to: str = "", **values: Any) -> Any:
        """Get a page, fill in the form that has a field `at`, send it and return what comes. `values` is
        what is typed in; the other fields keep what they have. A form that is shown again is a failure."""
        page = self.get(path)
        assert page.status_code == 200, (path, page.status_code, getattr(page, "url", ""))
        data = fields_of(page.content.decode(), at or next(iter(values)))
        data.update(values)
        response = self.post(to or path, data)
        assert response.status_code == 302, (path, complaints(response))
        return response


def around(text: str, word: str) -> str:
    place = text.index(word)
    return text[max(0, place - 200) : place + 100]


def complaints(response: Any) -> str:
    """What a page says of a form that was not accepted."""
    text = response.content.decode()
    found = re.findall(
        r'class="[^"]*(?:error|invalid-feedback|messages)[^"]*"[^>]*>(.*?)</(?:ul|p|div|span)', text, re.S
    )
    return f"{response.status_code}: " + " | ".join(" ".join(re.sub("<[^>]+>", " ", one).split()) for one in found)


class _Forms(HTMLParser):
    """The fields of each form of a page, with their values as a browser would send them."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[dict[str, Any]] = []
        self.select = self.area = ""
        self.first = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name, value = given.get("name") or "", given.get("value") or ""
        if tag == "form":
            self.forms.append({})
        if not self.forms:
            return
        form = self.forms[-1]
        if tag == "input" and name:
            kind = given.get("type", "text")
            if kind in ("checkbox", "radio"):
                if "checked" in given:
                    self._add(name, given.get("value") or "on")
            elif kind not in ("submit", "button", "file", "image", "reset"):
                self._add(name, value)
        elif tag == "select" and name:
            self.select, self.first = name, "multiple" not in given
        elif tag == "option" and self.select and ("selected" in given or self.first):
            form[self.select] = value
            self.first = False
        elif tag == "textarea" and name:
            self.area = name
            form[name] = ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self.select = ""
        elif tag == "textarea":
            self.area = ""

    def handle_data(self, data: str) -> None:
        if self.area:
            self.forms[-1][self.area] += data

    def _add(self, name: str, value: str) -> None:
        form = self.forms[-1]
        if name in form and form[name] != "":
            known = form[name]
            form[name] = [*(known if isinstance(known, list) else [known]), value]
        else:
            form[name] = value


def fields_of(html: str, name: str) -> dict[str, Any]:
    """The fields of the first form that has one of that name."""
    parser = _Forms()
    parser.feed(html)
    for form in parser.forms:
        if name in form:
            return form
    raise AssertionError(f"no form with {name}: {[sorted(form) for form in parser.forms]}")

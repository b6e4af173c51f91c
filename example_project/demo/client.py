"""A client that speaks HTTP over a socket and sends the Host header it is told to."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass
class Client:
    """One person at one site: keeps cookies, sends a token if it has one, follows no redirects."""

    port: int
    host: str
    token: str = ""
    cookies: dict[str, str] = field(default_factory=dict)

    def send(
        self,
        method: str,
        path: str,
        data: Any = None,
        *,
        tenant: str = "",
        form: bool = False,
        further: dict[str, str] | None = None,
    ) -> Answer:
        """Send `data` as JSON or as a form, `tenant` as X-Tenant-ID, and `further` headers."""
        headers = {"Host": f"{self.host}:{self.port}", **(further or {})}
        if self.token:
            headers["Authorization"] = f"Token {self.token}"
        if tenant:
            headers["X-Tenant-ID"] = tenant
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        body = None
        if data is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded" if form else "application/json"
            body = urlencode(data) if form else json.dumps(data, default=str)
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            for line in response.headers.get_all("Set-Cookie", []):
                self.cookies |= {name: morsel.value for name, morsel in SimpleCookie(line).items()}
            return Answer(response.status, dict(response.headers.items()), response.read())
        finally:
            connection.close()

    def log_in(self, email: str, password: str) -> Answer:
        """Fill in the login page, and send it as a browser does."""
        page = self.send("GET", "/login/")
        found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
        fields = {"username": email, "password": password, "csrfmiddlewaretoken": found[1] if found else ""}
        return self.send("POST", "/login/", fields, form=True)

"""The version gate: a tenant whose home lags behind the code waits, and nobody else. See TENANTKIT_VERSION_GATE."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from django.apps import apps
from django.db.migrations.loader import MigrationLoader

from .models import MigrationState
from .registry import lives_at_home

#: A migration, as its app and its name.
Key = tuple[str, str]


class Loader(MigrationLoader):
    """The project's migrations, as they are where those of `names` are applied (`app.name`). Asks no database."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = dict.fromkeys(map(split, names))
        self._applied: dict[Key, Any] = {}
        super().__init__(None)

    @property
    def applied_migrations(self) -> dict[Key, Any]:
        """Django sets it where it builds the graph: from then on it is what was given."""
        return self._applied

    @applied_migrations.setter
    def applied_migrations(self, value: Any) -> None:
        self._applied = dict(self._names)


def split(name: str) -> Key:
    """`app.name` as a key."""
    app, _, rest = name.partition(".")
    return app, rest


@lru_cache(maxsize=1024)
def is_behind(digest: str) -> bool:
    """Whether homes in that state (`MigrationState.digest`) lack a migration of an app that has tables in them.
    Remembered for good: neither what a digest stands for nor the code changes. Asks the database once for each."""
    state = MigrationState.objects.filter(pk=digest).values_list("names", flat=True).first()
    if state is None:
        return True
    loader = Loader(state)
    at_home = {model._meta.app_label for model in apps.get_models() if lives_at_home(model)}
    return any(key[0] in at_home and key not in loader.applied_migrations for key in loader.graph.nodes)

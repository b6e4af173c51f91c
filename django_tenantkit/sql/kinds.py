"""Content types and permissions of a home, by what they are called: two statements, where Django has three an app."""

from __future__ import annotations

#: Of given pairs of app and model those that are missing.
CONTENT_TYPES = """
INSERT INTO {content_type} (app_label, model)
SELECT app_label, model FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS wanted(app_label, model, place)
WHERE NOT EXISTS (
    SELECT FROM {content_type} AS made WHERE made.app_label = wanted.app_label AND made.model = wanted.model
) ORDER BY place
"""

#: Of given permissions (app, model, codename, name) those that are missing.
PERMISSIONS = """
INSERT INTO {permission} (name, content_type_id, codename)
SELECT wanted.name, kind.id, wanted.codename
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[])
    WITH ORDINALITY AS wanted(app_label, model, codename, name, place)
JOIN {content_type} AS kind ON kind.app_label = wanted.app_label AND kind.model = wanted.model
WHERE NOT EXISTS (
    SELECT FROM {permission} AS made WHERE made.content_type_id = kind.id AND made.codename = wanted.codename
) ORDER BY wanted.place
"""

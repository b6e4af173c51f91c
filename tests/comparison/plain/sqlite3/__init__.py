"""`ENGINE = "tests.comparison.plain.sqlite3"`."""

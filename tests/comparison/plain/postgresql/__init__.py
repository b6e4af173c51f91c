"""`ENGINE = "tests.comparison.plain.postgresql"`."""

"""Plain Django's PostgreSQL engine, which the hand-written side runs on."""

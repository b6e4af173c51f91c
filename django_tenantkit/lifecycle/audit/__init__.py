"""The audit: whether the database says what the models say, and no row has crossed the line."""

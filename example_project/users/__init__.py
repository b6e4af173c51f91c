"""People. They are shared: one login, and a membership for each tenant."""

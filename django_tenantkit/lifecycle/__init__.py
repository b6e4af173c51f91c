"""What is done to tenants: plain functions, which commands, views and tasks call."""

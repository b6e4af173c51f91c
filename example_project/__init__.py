"""A product for many organisations: projects, tasks, customers and orders, each tenant on its own address."""

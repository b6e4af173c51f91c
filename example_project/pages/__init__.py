"""The pages for people: a landing page on the base domain, and each tenant's own site."""

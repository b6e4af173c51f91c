"""The stores of ours: files, Django's caches, sessions. Their interface: `lifecycle/stores.py`."""

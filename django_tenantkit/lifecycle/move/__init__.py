"""Moving a tenant from one isolation to another: `run.py` is the job, `transfer.py` what it does with rows."""

"""What happens to tenants. Receivers get `tenant`; they run in no tenant unless they enter one."""

from __future__ import annotations

from django.dispatch import Signal

#: Sent when all steps of provisioning are done, in the transaction that records it.
tenant_provisioned = Signal()
#: Sent when a tenant's status changed, in the same transaction; `old` and `new` are values of
#: `TenantStatus`, `reason` is the operator's text or "".
tenant_status_changed = Signal()
#: Sent when a tenant's grace is over and its rows are about to be erased, in the transaction that records it. What a
#: receiver raises stops the job.
tenant_erasing = Signal()
#: Sent when a tenant is erased and nothing was found of it, in the transaction that records it; `certificate` is the
#: evidence, a dictionary.
tenant_erased = Signal()
#: Sent when a tenant is about to move, before it is fenced, in the transaction that puts it in maintenance. `job` is
#: the entry in the ledger, whose `arguments` say where to.
tenant_moving = Signal()
#: Sent when a tenant has moved and works again, in the same transaction. `job.result` has numbers of rows and
#: checksums.
tenant_moved = Signal()

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
#: Sent before a tenant is written to an archive and after it; `job` says what is done, and afterwards what came of it.
tenant_exporting = Signal()
tenant_exported = Signal()
#: Sent before an archive is loaded, with `tenant` None where the tenant is made from it, and in the transaction that
#: loads it; `job` says what is done.
tenant_importing = Signal()
tenant_imported = Signal()
#: Sent before a tenant is copied: `tenant` is the original.
tenant_cloning = Signal()
#: Sent when a tenant was copied, after `tenant_imported`: `tenant` is the copy, `source` what it is a copy of.
tenant_cloned = Signal()
#: Sent before rows of a tenant are put back, in the transaction that does it; `job.arguments` say which.
tenant_restoring = Signal()
#: Sent when rows of a tenant were put back, in the same transaction; `difference` says which.
tenant_restored = Signal()

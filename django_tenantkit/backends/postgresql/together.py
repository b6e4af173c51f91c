"""Transactions of several databases that end as one, as far as two databases can.

Inside a tenant that has a database, code works with two connections: the tenant's, and the main one for shared
tables. Whoever writes `transaction.atomic()` means both. So the connections of a thread form a group: an atomic
block, or a savepoint, that one of them has open counts for each other one that is used before it ends. That one
*joins*: it opens the same blocks, and they are committed or rolled back with those that they follow. Nothing is
opened on a connection that is not used. This is also why Django's `TestCase`, which knows the main database only,
rolls back what a test wrote to the databases of tenants.

It is no two-phase commit: see docs/explanation/isolations.md for what a crash between the two commits leaves.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django.db import Error, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from ...context import tenant_context
from ...isolation.copying import after_shared_write, holds_copies, push_uncommitted

if TYPE_CHECKING:
    _Wrapper = BaseDatabaseWrapper
else:
    _Wrapper = object


class Level:
    """An atomic block (`sid` is None) or a savepoint of `owner`, and by what others follow it: the name of their
    savepoint, or None for their transaction."""

    __slots__ = ("followers", "owner", "sid")

    def __init__(self, owner: Any, sid: str | None) -> None:
        self.owner = owner
        self.sid = sid
        self.followers: dict[Any, str | None] = {}


class Group:
    """The connections of one thread to the main database and to those of tenants."""

    def __init__(self) -> None:
        self.levels: list[Level] = []
        #: The blocks that code is in, on whichever connection: what is durable looks for one outside of it.
        self.blocks: list[Any] = []
        #: The connections to databases of tenants, by alias.
        self.homes: dict[str, Any] = {}
        #: Whether the statement that is being sent changes rows of which there are copies, and how often one did.
        self.writes = False
        self._written = 0
        self._mirrors = False
        self._uses = 0
        self._ended: list[Any] = []

    def join(self, wrapper: Any) -> None:
        """Open on `wrapper` what others have open."""
        if self._mirrors or not self.levels:
            return
        for level in self.levels:
            if level.owner is not wrapper and wrapper not in level.followers:
                with self.mirroring():
                    level.followers[wrapper] = _begin(wrapper)

    def use(self, wrapper: Any) -> None:
        """`wrapper` is about to send a statement."""
        self._uses += 1
        wrapper.used = self._uses
        self.join(wrapper)
        if wrapper.seen != self._written:
            wrapper.seen = self._written
            if holds_copies(wrapper) and self.levels and not wrapper.is_pushing:
                wrapper.is_pushing = True
                try:
                    push_uncommitted(wrapper)
                finally:
                    wrapper.is_pushing = False

    def wrote(self, wrapper: Any) -> None:
        """A statement that `wrapper` has sent changed rows of which there are copies."""
        self.writes = False
        self._written += 1
        after_shared_write(wrapper)

    def began(self, wrapper: Any, sid: str | None) -> None:
        """`wrapper` has opened a block or a savepoint."""
        if not self._mirrors:
            self.levels.append(Level(wrapper, sid))

    def ends(self, wrapper: Any, sid: str | None, *, commits: bool) -> None:
        """`wrapper` is about to end it: whoever follows does so now. A commit is refused where one cannot."""
        place = None if self._mirrors else self._place(wrapper, sid)
        if place is None:
            return
        ending = self.levels[place:]
        keeps = sid is not None and not commits  # a savepoint can be rolled back to again
        del self.levels[place + keeps :]
        with self.mirroring(), tenant_context(None):  # whoever leaves the block: its logins are those of its inside
            try:
                if commits:
                    self._check(wrapper, ending, at_commit=sid is None)
                self._finish(ending, commits=commits)
            except BaseException:
                self._finish(ending, commits=False)
                raise

    def outermost(self, wrapper: Any) -> Any:
        """The connection whose commit ends all that is open: callbacks wait for that one."""
        return self.levels[0].owner if self.levels else wrapper

    def release(self) -> None:
        """The transaction is over: what followed it is idle again, before callbacks run."""
        while self._ended and not self._mirrors:
            follower = self._ended.pop()
            if follower.closed_in_transaction:
                follower.connection = None
                continue
            try:
                with tenant_context(None):
                    follower.set_autocommit(True)
            except Error:  # it was lost: the others become idle all the same
                follower.close()

    def lost(self, wrapper: Any) -> None:
        """`wrapper` was closed in its block, which is over: Django asks it for no rollback."""
        self.ends(wrapper, None, commits=False)
        self.release()

    def _finish(self, ending: list[Level], *, commits: bool) -> None:
        for level in reversed(ending):
            while level.followers:
                follower, sid = level.followers.popitem()
                if sid is None:
                    self._ended.append(follower)
                _finish(follower, sid, commits=commits)

    def _check(self, wrapper: Any, ending: list[Level], *, at_commit: bool) -> None:
        """What can still go wrong at COMMIT goes wrong before the first one."""
        followers = {follower for level in ending for follower in level.followers}
        if any(follower.needs_rollback for follower in followers):
            raise transaction.TransactionManagementError(
                "Nothing was written: an error occurred in a part of this atomic block that went to another database."
            )
        for one in (*followers, wrapper) if followers and at_commit else ():
            with one.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

    def _place(self, wrapper: Any, sid: str | None) -> int | None:
        for place in reversed(range(len(self.levels))):
            level = self.levels[place]
            if level.owner is wrapper and level.sid == sid:
                return place
        return None

    @contextmanager
    def mirroring(self) -> Iterator[None]:
        """What happens inside is no event of its own."""
        found, self._mirrors = self._mirrors, True
        try:
            yield
        finally:
            self._mirrors = found


def _begin(wrapper: Any) -> str | None:
    """What `Atomic.__enter__` does."""
    if wrapper.in_atomic_block:
        sid: str | None = wrapper.savepoint()
        wrapper.savepoint_ids.append(sid)
        return sid
    wrapper.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
    wrapper.commit_on_exit = True
    wrapper.needs_rollback = False
    wrapper.in_atomic_block = True
    return None


def _finish(wrapper: Any, sid: str | None, *, commits: bool) -> None:
    """What `Atomic.__exit__` does, but for leaving the transaction."""
    if sid is None:
        wrapper.in_atomic_block = False
        wrapper.savepoint_ids = []
    elif sid in wrapper.savepoint_ids:
        del wrapper.savepoint_ids[wrapper.savepoint_ids.index(sid) :]
    if wrapper.closed_in_transaction:
        return
    if not commits:
        wrapper.needs_rollback = False
    if sid is None:
        wrapper.commit() if commits else wrapper.rollback()
        return
    if not commits:
        wrapper.savepoint_rollback(sid)
    if not wrapper.needs_rollback:
        wrapper.savepoint_commit(sid)


class TogetherMixin(_Wrapper):
    """Mixin for `DatabaseWrapper`: what it tells its group. Without a group it is what it was."""

    group: Group | None = None
    #: When it was used, counted in uses of its group; and how many writes to copied rows it has seen since.
    used = 0
    seen = 0
    is_pushing = False
    closed_in_transaction = False
    _in_atomic_block = False

    @property
    def in_atomic_block(self) -> bool:
        """Whether a block is open that ends what is written here, on this connection or on one that it joins."""
        if self.group is not None:
            self.group.join(self)
        return self._in_atomic_block

    @in_atomic_block.setter
    def in_atomic_block(self, value: bool) -> None:
        self._in_atomic_block = value
        if self.group is not None and not value and self.closed_in_transaction:
            self.group.lost(self)

    @property
    def atomic_blocks(self) -> list[Any]:
        """The blocks of the group, the innermost last. They end in that order, whichever connection each is of."""
        return self._atomic_blocks if self.group is None else self.group.blocks

    @atomic_blocks.setter
    def atomic_blocks(self, value: list[Any]) -> None:
        if self.group is None:
            self._atomic_blocks = value
        elif not self.group.levels:  # a new connection knows nothing of what others have open
            self.group.blocks = value

    def is_idle(self) -> bool:
        """Whether no transaction is open here, whatever others have open."""
        return not self._in_atomic_block and (self.connection is None or self.autocommit)

    def ensure_connection(self) -> None:
        if self.group is not None:
            self.group.join(self)
        super().ensure_connection()

    def close(self) -> None:
        if self.group is None:
            super().close()
        else:  # what is to be closed joins nothing any more
            with self.group.mirroring():
                super().close()

    def cursor(self) -> Any:
        if self.group is not None:
            self.group.use(self)
        return super().cursor()

    def chunked_cursor(self) -> Any:
        if self.group is not None:
            self.group.use(self)
        return super().chunked_cursor()

    def on_commit(self, func: Any, robust: bool = False) -> None:
        outermost: Any = self if self.group is None else self.group.outermost(self)
        if outermost is self:
            super().on_commit(func, robust)
        else:
            outermost.on_commit(func, robust)

    def set_autocommit(self, autocommit: bool, force_begin_transaction_with_broken_autocommit: bool = False) -> None:
        if self.group is not None and autocommit:
            self.group.release()
        super().set_autocommit(autocommit, force_begin_transaction_with_broken_autocommit)
        if self.group is not None and force_begin_transaction_with_broken_autocommit:  # only `Atomic` says so
            self.group.began(self, None)

    def savepoint(self) -> Any:
        sid = super().savepoint()
        if self.group is not None:
            self.group.began(self, sid)
        return sid

    def commit(self) -> None:
        if self.group is not None:
            try:
                self.group.ends(self, None, commits=True)
            except BaseException:  # Django rolls back after errors of the database only
                super().rollback()
                raise
        super().commit()

    def rollback(self) -> None:
        if self.group is not None:
            self.group.ends(self, None, commits=False)
        super().rollback()

    def savepoint_commit(self, sid: Any) -> None:
        if self.group is not None:
            self.group.ends(self, sid, commits=True)
        super().savepoint_commit(sid)

    def savepoint_rollback(self, sid: Any) -> None:
        if self.group is not None:
            self.group.ends(self, sid, commits=False)
        super().savepoint_rollback(sid)

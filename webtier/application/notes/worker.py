"""gunicorn's threaded worker, which ends as a load balancer needs it."""

from __future__ import annotations

from typing import Any

from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]


class Worker(ThreadWorker):  # type: ignore[misc]
    """Answers what is under way when it is told to stop, and refuses what is new.

    Two things that gunicorn 27.0.1 does otherwise. It counts a connection twice that ends without
    ever having spoken TLS, such as a health check that is given up while the instance is slow:
    closing it raises after it was counted. Its count falls below the connections there are, and
    told to stop it ends at once, with requests under way. And while it waits for those it leaves
    its sockets listening, so that who connects is kept waiting for nothing.
    """

    nr_conns: int

    def finish_request(self, conn: Any, fs: Any) -> None:
        """Take note of the end of a request: of one connection, at most."""
        before = self.nr_conns
        super().finish_request(conn, fs)
        self.nr_conns = max(self.nr_conns, before - 1)

    def set_accept_enabled(self, enabled: bool) -> None:
        """Accept connections or not; once it is told to stop, never again."""
        super().set_accept_enabled(enabled)
        if not self.alive:
            for listener in self.sockets:
                listener.close()

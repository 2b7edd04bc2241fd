"""How gunicorn serves the application: HTTPS where a certificate is given, HTTP where none is.

gunicorn's documentation, "Settings", describes each name.
"""

from __future__ import annotations

import os
import sys
from typing import Any

bind = f"{os.environ.get('HOST', '0.0.0.0')}:{os.environ.get('PORT', '8000')}"  # noqa: S104
certfile = os.environ.get("TLS_CERTIFICATE") or None
keyfile = os.environ.get("TLS_KEY") or None

# Threads wait for the database most of the time; the second process uses the second CPU.
worker_class = f"{__package__}.worker.Worker"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
threads = 8
# Longer than the load balancer's idle time-out of 60 s: it must be the one to close, or a request
# sent at that moment is lost (Application Load Balancers, "HTTP 502: Bad gateway").
keepalive = 75
timeout = 30
# On SIGTERM requests in progress are answered. Shorter than systemd waits before it kills.
graceful_timeout = 25
# A disk that is slow must not look like a worker that hangs (gunicorn's FAQ, "blocking").
worker_tmp_dir = "/dev/shm" if sys.platform == "linux" else None  # noqa: S108
# Nothing asks gunicorn from outside, and the service may write nowhere.
control_socket_disable = True
# Requests are logged by the application, with what gunicorn does not know.
accesslog = None
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": f"{__package__}.telemetry.JsonLines", "constant": {}}},
    "handlers": {
        "stdout": {
            "class": "logging.StreamHandler",
            "stream": "ext://sys.stdout",
            "formatter": "json",
        }
    },
    "root": {"handlers": ["stdout"], "level": "INFO"},
    "loggers": {"gunicorn.error": {"handlers": ["stdout"], "level": "INFO", "propagate": False}},
}


def post_worker_init(worker: Any) -> None:
    """Connect to the database before the first request is taken."""
    worker.wsgi.extensions["database"].warm_up()


def worker_exit(_server: Any, worker: Any) -> None:
    """Close the database's connections: left alone, their threads would hold up the exit."""
    application = getattr(worker, "wsgi", None)
    if application is not None:
        application.extensions["database"].close()

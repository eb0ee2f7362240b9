"""How the web server behaves; read by gunicorn. `manage.py serve` adds address, workers and threads."""

import contextlib
import ctypes

# glibc gives each thread a heap of its own and hands its memory back after every password hash, 19 MiB a
# time; with one heap for all a sign-in costs a tenth less (measured by `make bench`). Elsewhere: no matter.
_M_ARENA_MAX = -8
with contextlib.suppress(OSError, AttributeError):
    ctypes.CDLL("libc.so.6").mallopt(_M_ARENA_MAX, 1)

worker_class = "portal.web_worker.PortalWorker"  # a slow phone holds one thread, not all
# The heartbeat of a worker, which its main thread sends while others wait for slow uploads: this ends a
# worker that hangs, not a request that takes long.
timeout = 60
keepalive = 5

limit_request_line = 4094
limit_request_fields = 64
limit_request_field_size = 8190

# Who may tell the client's address and scheme is PORTAL_TRUSTED_PROXIES' matter, and settings.py's.
forwarded_allow_ips = ""
forwarder_headers = ""

accesslog = None  # addresses hold keys and links
errorlog = "-"
loglevel = "warning"
logger_class = "portal.logs.ServerLogger"
control_socket_disable = True

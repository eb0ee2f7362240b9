"""How the web server behaves; read by gunicorn. `manage.py serve` adds address, workers and threads."""

import contextlib
import ctypes

# glibc gives each thread a heap of its own and hands large pieces of memory back at once, to fetch them again
# for the next password hash (19 MiB) or piece of an upload. With one heap for all that keeps them a sign-in
# costs a tenth less and an upload takes two thirds of the time (`make bench`). Elsewhere: no matter.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
with contextlib.suppress(OSError, AttributeError):
    _mallopt = ctypes.CDLL("libc.so.6").mallopt
    _mallopt(_M_ARENA_MAX, 1)
    _mallopt(_M_MMAP_THRESHOLD, 20 * 1024 * 1024)
    _mallopt(_M_TRIM_THRESHOLD, 40 * 1024 * 1024)

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

"""How the web server behaves; read by gunicorn. `manage.py serve` adds address, workers and threads."""

worker_class = "gthread"  # a slow phone holds one thread, not a whole worker
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

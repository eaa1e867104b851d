"""Pooled against unpooled by round trip: nginx at the far end of a wire between
two network namespaces (tests/wire), which delays each packet."""

import json
import os
import subprocess
import tempfile

FAR, PORT = "10.99.0.2", 8080
TRIPS_MS = (0, 1, 10, 50)
NOT_HERE = 77  # what `wire` ends with where it has no namespaces

CONF = """
daemon off; master_process off; pid {root}/pid; error_log {root}/log;
events {{ }}
http {{
    access_log off; keepalive_requests 1000000;
    client_body_temp_path {root}/t1; proxy_temp_path {root}/t2;
    fastcgi_temp_path {root}/t3; uwsgi_temp_path {root}/t4;
    scgi_temp_path {root}/t5;
    server {{ listen {far}:{port}; root {root}; }}
}}
"""


def measure(build, trip_ms):
    """Milliseconds a request, medians, without and with the pool; None: not
    here."""
    with tempfile.TemporaryDirectory() as root:
        with open(f"{root}/conf", "w", encoding="ascii") as file:
            file.write(CONF.format(root=root, far=FAR, port=PORT))
        with open(f"{root}/102", "w", encoding="ascii") as file:
            file.write("x" * 102)
        done = subprocess.run(
            [f"{build}/tests/wire", "--delay-ms", str(trip_ms / 2),
             "--far", f"nginx -p {root} -c {root}/conf 2>/dev/null",
             "--wait", str(PORT), "--", f"{build}/cli/weir", "bench", "--json",
             "-n", "20", "--rounds", "3", f"http://{FAR}:{PORT}/102"],
            check=False, text=True, capture_output=True,
            env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin"})
    if done.returncode == NOT_HERE:
        return None
    done.check_returncode()
    figures = json.loads(done.stdout)["scenarios"][0]
    return {"without": figures["unpooled"]["p50_s"] * 1e3,
            "pooled": figures["pooled"]["p50_s"] * 1e3}


def measure_all(build):
    """{"10 ms": figures}; {} where namespaces or TUN devices are not."""
    result = {}
    if os.path.exists(f"{build}/tests/wire"):
        for trip_ms in TRIPS_MS:
            figures = measure(build, trip_ms)
            if figures:
                result[f"{trip_ms} ms"] = figures
    return result

"""What is measured, and what is promised of it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scenario:
    """Clients of one kind (client.h) over one sort of connection."""

    title: str
    kind: str
    server: str  # plain, tls or tls_full
    size: int = 102
    requests: int = 8000
    count: int = 0  # in flight, threads or origins; 0 = one at a time
    bound: float = 0  # of the ratio to the floor; 0 = none is promised
    has_peers: bool = False
    is_traced: bool = False  # instructions and system calls as well


SCENARIOS = {
    "get": Scenario("One at a time", "get", "plain", bound=1.10,
                    has_peers=True, is_traced=True),
    "get-tls": Scenario("One at a time, TLS", "get", "tls", bound=1.10,
                        has_peers=True, is_traced=True),
    "get-10k": Scenario("One at a time, 10 KiB", "get", "plain", 10240, 5000),
    "get-10k-tls": Scenario("One at a time, 10 KiB, TLS", "get", "tls", 10240,
                            4000),
    "get-60k": Scenario("One at a time, 60 KB", "get", "plain", 60000, 3000),
    "get-60k-tls": Scenario("One at a time, 60 KB, TLS", "get", "tls", 60000,
                            1500),
    "stream": Scenario("Bodies of 1 MiB", "stream", "plain", 1 << 20, 400,
                       bound=1.10),
    "stream-tls": Scenario("Bodies of 1 MiB, TLS", "stream", "tls", 1 << 20,
                           150, bound=1.10),
    "loop": Scenario("64 in flight", "loop", "plain", requests=15000, count=64,
                     bound=1.12, has_peers=True, is_traced=True),
    "loop-tls": Scenario("64 in flight, TLS", "loop", "tls", requests=10000,
                         count=64, bound=1.12, has_peers=True, is_traced=True),
    "loop-60k": Scenario("64 in flight, 60 KB", "loop", "plain", 60000, 4000,
                         count=64),
    "threads": Scenario("8 threads on one pool", "threads", "plain",
                        requests=16000, count=8, bound=1.15),
    "dial": Scenario("A connection for every request", "dial", "plain",
                     requests=3000),
    "dial-full": Scenario("A TLS handshake in full for every request", "dial",
                          "tls_full", requests=200, bound=1.05),
    "dial-resumed": Scenario("A resumed TLS handshake for every request",
                             "dial", "tls", requests=400, bound=1.10),
}

# In flight over as many connections: CPU a request against concurrency.
SWEEP = (1, 4, 16, 64, 256, 1024)
# The last may cost so many times what this one does.
SWEEP_BASE = 64
SWEEP_BOUND = 1.15

# Origins with a connection each, asked in turn, and what the most may cost
# next to one.
ORIGINS = (1, 8000)
ORIGINS_BOUND = 1.3

LATENCY_BOUND_US = 3  # of the median, over the floor's

# Of one hold of the lock, uncontended: the median.
LOCK_BOUND_NS = 100

# How much of the CPU of epoll io_uring may take, both by hand, to be measurably
# ahead of it.
URING_BOUND = 0.95

# User-space instructions and system calls of a warm request.
INSTRUCTIONS = {"get": 4000, "get-tls": 18500, "loop": 4500, "loop-tls": 19000}
SYSTEM_CALLS = {"get": 2.0, "get-tls": 2.0, "loop": 2.1, "loop-tls": 2.1}

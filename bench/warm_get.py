#!/usr/bin/env python3
"""Warm GETs, one after another from one thread, to nginx on loopback: weir
beside a hand-written write/read loop (the floor) and libcurl's easy handle.

usage: warm_get.py BUILD_FOLDER [OPTION...]; --help tells the options
"""

from side_by_side import Client, main

if __name__ == "__main__":
    main("warm GETs, one after another from one thread",
         [Client("floor", "get_floor"), Client("weir", "get_weir"),
          Client("curl easy", "get_curl")],
         rounds=11, requests=8000, strace_runs=(20, 220),
         callgrind_requests=500)

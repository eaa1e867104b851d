#!/usr/bin/env python3
"""Warm GETs, 64 in flight over 64 connections from one thread, to nginx on
loopback: weir, on a thread of its own and within a poll() loop of the program
(a system call more each time round), beside a hand-written epoll loop (the
floor) and libcurl's multi interface.

usage: loop_get.py BUILD_FOLDER [OPTION...]; --help tells the options
"""

from side_by_side import Client, main

if __name__ == "__main__":
    main("warm GETs, 64 in flight over 64 connections",
         [Client("floor", "loop_floor"), Client("weir", "loop_weir"),
          Client("weir in poll", "loop_weir", WEIR_EXTERNAL="1"),
          Client("curl multi", "loop_curl")],
         rounds=11, requests=10000, strace_runs=(640, 2560),
         callgrind_requests=1280)

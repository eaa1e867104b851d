#!/usr/bin/env python3
"""A small service to be supervised: answers /health, and counts its visits.

Usage: service.py NAME PORT [--needs URL] [--slow SECONDS]

It needs another one, if told so: without that it answers 503.  /sick makes it
answer 500 from then on, and /die ends it.
"""
import argparse
import http.server
import os
import time
import urllib.request


def is_well(url):
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:
            return answer.status == 200
    except OSError:
        return False


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("port", type=int)
    parser.add_argument("--needs")
    parser.add_argument("--slow", type=float, default=0)
    arguments = parser.parse_args()
    state = {"is_sick": False}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path == "/die":
                os._exit(3)
            if self.path == "/sick":
                state["is_sick"] = True
            status = 500 if state["is_sick"] else 200
            if status == 200 and arguments.needs:
                status = 200 if is_well(arguments.needs) else 503
            body = f"{arguments.name}: {status}\n".encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format, *values):
            print(self.path, values[1], flush=True)

    time.sleep(arguments.slow)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", arguments.port),
                                             Handler)
    print(f"{arguments.name} listens at port {arguments.port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()

#!/usr/bin/env bash
# requests 2.34.2, and with it web3 8.0.0's HTTPProvider, sends no credentials at all for a URL whose
# user part has no password: https://KEY@host/ goes out without an Authorization header.
#
# curl and aiohttp take such a URL as a user with an empty
# password and send "Basic base64(KEY:)". requests reads the user and the password together
# (utils.get_auth_from_url); a password that is None makes the pair fail, and both are taken as
# absent. A colon (KEY:@host) is enough to have it sent. Services that hand out a key as the user name
# of a URL answer 401, although the very same URL works with curl.
#
# Source: seen with a node's URL that carries its key before the host; requests.utils
# .get_auth_from_url, requests.models.PreparedRequest.prepare_auth.
#
# Output seen (URL's user part: Authorization header that arrived):
#   requests KEY@:          none
#   requests KEY:@:         Basic S0VZOg==
#   requests KEY:PASSWORD@: Basic S0VZOlBBU1NXT1JE
#   web3     KEY@:          none
#   web3     KEY:@:         Basic S0VZOg==
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check requests==2.34.2 web3==8.0.0
cat >run.py <<'PYTHON'
import http.server
import json
import sys
import threading

import requests
from web3 import HTTPProvider

seen = []


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        seen.append(self.headers.get("Authorization") or "none")
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.dumps({"jsonrpc": "2.0", "id": 0, "result": "0x1"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
here = f"127.0.0.1:{server.server_port}/"
without_environment = requests.Session()
without_environment.trust_env = False  # neither proxies nor .netrc


def by_requests(url):
    without_environment.post(url, json={})


def by_web3(url):
    HTTPProvider(url, session=without_environment).make_request("eth_chainId", [])


told = {}
for name, ask, users in (
    ("requests", by_requests, ("KEY@", "KEY:@", "KEY:PASSWORD@")),
    ("web3    ", by_web3, ("KEY@", "KEY:@")),
):
    for user in users:
        ask(f"http://{user}{here}")
        told[name.strip(), user] = seen[-1]
        print(f"{name} {user}: {seen[-1]}")
expected = {
    ("requests", "KEY@"): "none",
    ("requests", "KEY:@"): "Basic S0VZOg==",
    ("requests", "KEY:PASSWORD@"): "Basic S0VZOlBBU1NXT1JE",
    ("web3", "KEY@"): "none",
    ("web3", "KEY:@"): "Basic S0VZOg==",
}
sys.exit(told != expected)
PYTHON
venv/bin/python run.py

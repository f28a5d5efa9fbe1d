#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
A token server that docker-registry(1) believes:

        token-server.py PORT DIRECTORY [--user USER:PASSWORD] [--identity TOKEN] [--life SECONDS]
                        [--actions pull,push]

DIRECTORY has tok.key and tok.crt, with which tokens are signed, srv.key and srv.pem, for TLS, and
gets tokens.log: one line per request with its method, whether it was let in, and its scopes, and
tokens: what was given away. Tokens are good for so many seconds by what is told; the registry takes
them for 60 more.
"""
import argparse
import base64
import json
import ssl
import subprocess
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

parser = argparse.ArgumentParser()
parser.add_argument("port", type=int)
parser.add_argument("directory")
parser.add_argument("--user")
parser.add_argument("--identity")
parser.add_argument("--life", type=int, default=300)
parser.add_argument("--actions", default="pull")
args = parser.parse_args()


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def certificate():
    with open(f"{args.directory}/tok.crt", encoding="ascii") as file:
        return "".join(line.strip() for line in file if "-----" not in line)


def token(scopes):
    access = []
    for scope in scopes:
        kind, name, _ = scope.split(":", 2)
        access.append({"type": kind, "name": name, "actions": args.actions.split(",")})
    now = int(time.time())
    claims = {"iss": "tokend", "sub": "", "aud": "reg", "exp": now + args.life, "nbf": now - 600,
              "iat": now - 600, "jti": str(time.monotonic_ns()), "access": access}
    head = {"typ": "JWT", "alg": "RS256", "x5c": [certificate()]}
    text = ".".join(encode(json.dumps(part).encode()) for part in (head, claims))
    signature = subprocess.run(
        ["openssl", "dgst", "-sha256", "-sign", f"{args.directory}/tok.key"],
        input=text.encode(), stdout=subprocess.PIPE, check=True).stdout
    return f"{text}.{encode(signature)}"


def keep(name, line):
    with open(f"{args.directory}/{name}", "a", encoding="utf-8") as file:
        print(line, file=file)


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, let_in, scopes):
        keep("tokens.log", f"{self.command} {'yes' if let_in else 'no'} {' '.join(scopes)}")
        body = b"{}"
        if let_in:
            text = token(scopes)
            keep("tokens", text)
            body = json.dumps({"token": text, "expires_in": args.life}).encode()
        self.send_response(200 if let_in else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        scopes = parse_qs(urlsplit(self.path).query).get("scope", [])
        wanted = "Basic " + base64.b64encode((args.user or "").encode()).decode()
        self.answer(not args.user or self.headers.get("Authorization") == wanted, scopes)

    def do_POST(self):
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        scopes = form.get("scope", [""])[0].split()
        self.answer(args.identity and form.get("refresh_token") == [args.identity], scopes)


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(f"{args.directory}/srv.pem", f"{args.directory}/srv.key")
server = ThreadingHTTPServer(("127.0.0.1", args.port), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
A server for GET and HEAD that judges signatures by AWS's own code and has the bytes elsewhere:

        s3-oracle.py KEYS REGION UPSTREAM LOG

KEYS: a file with one line, "ID SECRET" or "ID SECRET TOKEN", read for each request. A request that
is let in is sent on to 127.0.0.1:UPSTREAM, a port or a file with one, without its bucket. LOG: one
line per request, with status, code, host and path. The port that is listened on is printed first.
Links to the files are followed when a connection begins: those of a request that is still on its
way stay what they were.

The bucket is the first part of the path, or of a host name below "localhost". Some have a meaning:

        public          what is not signed is let in, too
        denied          nothing is let in
        skewed          our clock is an hour off

and so does the beginning of some keys:

        to=HOST:PORT/   307 to the same bucket and the rest of the key there
        moved/          301 that does not say where
"""
import datetime
import http.client
import os
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, unquote, unquote_to_bytes

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

KEYS, REGION, UPSTREAM, LOG = sys.argv[1:5]
AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/s3/aws4_request, ?"
    r"SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})")
CODES = {403: "AccessDenied", 404: "NoSuchKey", 412: "PreconditionFailed", 416: "InvalidRange",
         500: "InternalError", 503: "SlowDown"}
log_lock = threading.Lock()


class Refused(Exception):
    def __init__(self, status, code):
        super().__init__(code)
        self.status, self.code = status, code


def upstream_port():
    if UPSTREAM.isdigit():
        return int(UPSTREAM)
    with open(UPSTREAM, encoding="utf-8") as file:
        return int(file.read())


class Received(S3SigV4Auth):
    """Signs what was signed, not what botocore would sign."""

    def headers_to_sign(self, request):
        return request.headers


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 64 << 10
    upstream = None

    def setup(self):
        super().setup()
        self.keys, self.log = os.path.realpath(KEYS), os.path.realpath(LOG)

    def log_message(self, *args):
        pass

    def note(self, status, code):
        with log_lock, open(self.log, "a", encoding="utf-8") as log:
            print(status, code, self.headers.get("Host"), self.path, file=log)

    def bucket_and_key(self):
        host = self.headers.get("Host", "").rsplit(":", 1)[0]
        path = self.path[1:]
        if host.endswith(".localhost"):
            return host[:-len(".localhost")], path
        bucket, _, key = path.partition("/")
        return bucket, key

    def judge(self, bucket):
        text = self.headers.get("Authorization")
        if text is None and bucket == "public":
            return
        if text is None or bucket == "denied":
            raise Refused(403, "AccessDenied")
        match = AUTHORIZATION.fullmatch(text)
        if not match:
            raise Refused(400, "InvalidArgument")
        identity, day, region, names, signature = match.groups()
        with open(self.keys, encoding="utf-8") as keys:
            known, secret, *token = keys.read().split()
        if identity != known:
            raise Refused(403, "InvalidAccessKeyId")
        if region != REGION:
            raise Refused(400, "AuthorizationHeaderMalformed")
        if self.headers.get_all("x-amz-security-token", []) != token:
            raise Refused(400, "InvalidToken")
        self.judge_names(names.split(";"))
        self.judge_time(day, bucket)
        if self.signature(Credentials(known, secret), region, names.split(";")) != signature:
            raise Refused(403, "SignatureDoesNotMatch")

    def judge_names(self, names):
        wanted = {"host"} | {n.lower() for n in self.headers if n.lower().startswith("x-amz-")}
        if not wanted <= set(names) or names != sorted(names):
            raise Refused(403, "AccessDenied")
        if not self.headers.get("x-amz-content-sha256"):
            raise Refused(400, "MissingSecurityHeader")

    def judge_time(self, day, bucket):
        stamp = self.headers.get("x-amz-date", "")
        now = datetime.datetime.utcnow()
        if bucket == "skewed":
            now += datetime.timedelta(hours=1)
        age = abs(datetime.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ") - now)
        if age > datetime.timedelta(minutes=15):
            raise Refused(403, "RequestTimeTooSkewed")
        if day != stamp[:8]:
            raise Refused(400, "AuthorizationHeaderMalformed")

    def signature(self, credentials, region, names):
        # Whatever was sent: S3 encodes the bytes of the key itself, each once.
        path = quote(unquote_to_bytes(self.path), safe="/~")
        request = AWSRequest(method=self.command, url=f"http://{self.headers['Host']}{path}",
                             headers={n: self.headers[n] for n in names})
        request.context["timestamp"] = self.headers["x-amz-date"]
        signer = Received(credentials, "s3", region)
        text = signer.string_to_sign(request, signer.canonical_request(request))
        return signer.signature(text, request)

    def refuse(self, status, code, fields=()):
        body = (f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code>'
                f"<Message>No.</Message></Error>").encode()
        self.note(status, code)
        self.send_response(status)
        for name, value in fields:
            self.send_header(name, value)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def serve(self, key):
        """Sends the request on, and the answer back."""
        if self.upstream is None:
            self.upstream = http.client.HTTPConnection("127.0.0.1", upstream_port())
        fields = {n: self.headers[n] for n in ("Range", "If-Match", "If-Unmodified-Since")
                  if n in self.headers}
        self.upstream.request(self.command, "/" + quote(unquote_to_bytes(key), safe="/=:@"), headers=fields)
        answer = self.upstream.getresponse()
        if answer.status >= 400:
            answer.read()
            self.refuse(answer.status, CODES.get(answer.status, "InternalError"),
                        [f for f in answer.getheaders() if f[0] == "Content-Range"])
            return
        self.note(answer.status, "-")
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name not in ("Connection", "Date", "Server"):
                self.send_header(name, value)
        self.end_headers()
        while part := answer.read(64 << 10):
            self.wfile.write(part)

    def answer(self):
        bucket, key = self.bucket_and_key()
        try:
            self.judge(bucket)
            plain = unquote(key)
            if plain.startswith("to="):
                host, _, rest = plain[3:].partition("/")
                self.refuse(307, "TemporaryRedirect",
                            [("Location", f"http://{host}/{bucket}/{quote(rest)}")])
            elif plain.startswith("moved/"):
                self.refuse(301, "PermanentRedirect")
            else:
                self.serve(key)
        except Refused as refused:
            self.refuse(refused.status, refused.code)

    def do_GET(self):
        try:
            self.answer()
        except (http.client.HTTPException, OSError):
            self.close_connection = True

    do_HEAD = do_GET


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """Whoever has canceled a request is gone, which is no news."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def main():
    server = Server(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


main()

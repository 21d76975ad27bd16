"""An identity provider that does as it is told: with keys of its own, and lies where a test wants them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, Key

CLIENT_ID, CLIENT_SECRET = "the console", "a secret between two"
EXP_S = 300


def new_key(kid: str) -> ECKey:
    return ECKey.generate_key("P-256", {"kid": kid, "use": "sig", "alg": "ES256"})


@dataclass
class Lies:
    """Where the provider departs from what is right; by default nowhere.

    Attributes:
        claims: Change the ID token's claims before they are signed.
        header: More of its header, over the right one.
        signer: Signs; by default the first key that is shown.
        id_token: Instead of the ID token.
        metadata: More of the document, over the right one.
        token_answer: Instead of the answer to a right code: status and body.
        userinfo: Over what is right.
        delay_s: Waits so long before every answer.
    """

    claims: Callable[[dict[str, Any]], object] = lambda _claims: None
    header: dict[str, Any] = field(default_factory=dict)
    signer: Key | None = None
    id_token: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    token_answer: tuple[int, bytes] | None = None
    userinfo: dict[str, Any] = field(default_factory=dict)
    delay_s: float = 0.0


@dataclass(frozen=True)
class Code:
    """What a code stands for."""

    challenge: str
    nonce: str
    claims: dict[str, Any]
    redirect_uri: str


class FakeProvider:
    """Its state, and what it would do in a browser.

    Args:
        port: Where it is served.
        now_s: Seconds since 1970 UTC.
    """

    def __init__(self, port: int, now_s: Callable[[], float]) -> None:
        self.issuer = f"http://127.0.0.1:{port}"
        self.now_s = now_s
        self.keys: list[Key] = [new_key("first")]
        self.lies = Lies()
        self.asked: list[str] = []
        self._codes: dict[str, Code] = {}

    def log_in(self, address: str, **claims: Any) -> str:
        """Where the browser is sent back to after somebody has logged in at `address`."""
        query = self.query(address)
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        code = f"code-{len(self._codes)}"
        said = {"sub": "subject-1", **claims}
        self._codes[code] = Code(query["code_challenge"], query["nonce"], said, query["redirect_uri"])
        return self.back(address, code=code)

    def back(self, address: str, **parameters: str) -> str:
        """The address of the console to which the browser is sent with `parameters`."""
        query = self.query(address)
        back = {"state": query["state"], "iss": self.issuer, **parameters}
        return f"{urlsplit(query['redirect_uri']).path}?{urlencode(back)}"

    def query(self, address: str) -> dict[str, str]:
        assert address.startswith(f"{self.issuer}/authorize?")
        return dict(parse_qsl(urlsplit(address).query))

    def document(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "id_token_signing_alg_values_supported": ["ES256", "none", "HS256"],
            "authorization_response_iss_parameter_supported": True,
            **self.lies.metadata,
        }

    def shown_keys(self) -> dict[str, Any]:
        return {"keys": [key.as_dict(private=False) for key in self.keys]}

    def exchange(self, form: dict[str, str], authorization: str) -> tuple[int, bytes]:
        """The token endpoint."""
        wanted = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if authorization != f"Basic {wanted}":
            return 401, b'{"error": "invalid_client"}'
        code = self._codes.pop(form.get("code", ""), None)  # good for once
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest())
        if code is None or challenge.rstrip(b"=").decode() != code.challenge:
            return 400, b'{"error": "invalid_grant"}'
        if form["redirect_uri"] != code.redirect_uri:
            return 400, b'{"error": "invalid_grant"}'
        self._told = code.claims
        answer = {"access_token": "opaque", "token_type": "Bearer", "expires_in": 60}
        return self.lies.token_answer or (
            200,
            json.dumps({**answer, "id_token": self.id_token(code)}).encode(),
        )

    def id_token(self, code: Code) -> str:
        if self.lies.id_token is not None:
            return self.lies.id_token
        now = int(self.now_s())
        claims = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + EXP_S, "nonce": code.nonce}
        claims.update(code.claims)
        self.lies.claims(claims)
        signer = self.lies.signer or self.keys[0]
        header = {"alg": "ES256", "kid": self.keys[0].kid, **self.lies.header}
        algorithm = header["alg"]
        if algorithm == "none":
            return unsigned(header, claims)
        if algorithm == "HS256":
            return signed_with_public_key(header, claims, self.keys[0])
        return jwt.encode(header, claims, signer, algorithms=[algorithm])

    def userinfo(self) -> dict[str, Any]:
        return {**self._told, **self.lies.userinfo}


def unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    parts = [json.dumps(part).encode() for part in (header, claims)]
    return ".".join([*(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts), ""])


def signed_with_public_key(header: dict[str, Any], claims: dict[str, Any], key: Key) -> str:
    """The oldest trick: the public key, which everybody knows, as the secret of HS256."""
    assert isinstance(key, ECKey)
    text = unsigned(header, claims)[:-1]
    signature = hmac.new(key.as_pem(private=False), text.encode(), hashlib.sha256).digest()
    return f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


class _Handler(BaseHTTPRequestHandler):
    provider: ClassVar[FakeProvider]

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        self.provider.asked.append(path)
        answers: dict[str, Callable[[], Any]] = {
            "/.well-known/openid-configuration": self.provider.document,
            "/keys": self.provider.shown_keys,
            "/userinfo": self.provider.userinfo,
        }
        if path in answers:
            self._send(200, json.dumps(answers[path]()).encode())
        else:
            self._send(404, b"{}")

    def do_POST(self) -> None:
        self.provider.asked.append(self.path)
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        self._send(*self.provider.exchange(form, self.headers.get("authorization", "")))

    def _send(self, status: int, body: bytes) -> None:
        time.sleep(self.provider.lies.delay_s)
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing."""


@contextmanager
def fake_provider(now_s: Callable[[], float]) -> Iterator[FakeProvider]:
    """A provider on a free port."""

    class Handler(_Handler):
        pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider = Handler.provider = FakeProvider(server.server_address[1], now_s)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

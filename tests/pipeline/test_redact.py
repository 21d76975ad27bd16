from __future__ import annotations

import traceback
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.redact import HIDDEN, Address, redact, redact_event

SECRET = st.text(
    st.characters(blacklist_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=6, max_size=20
).filter(lambda text: text.isprintable() and not any(character.isspace() for character in text))
ENCODED = SECRET.map(lambda text: quote(text, safe=""))
HOST = st.sampled_from(["cam1", "10.0.0.7", "10.0.0.7:8554", "[fe80::1]:554", "door.example.org"])
PATH = st.sampled_from(
    ["", "/", "/stream1", "/Streaming/Channels/101", "/cam/realmonitor?channel=1&subtype=0"]
)
AROUND = st.sampled_from(
    [
        "{}",
        "'{}'",
        "cannot open {}: connection refused",
        '{{"address": "{}"}}',
        "({}), ({})",
        "[Errno 5] Input/output error: '{}'; tried {} times",
    ]
)


def hidden(secret: str, text: str, address: str) -> bool:
    """Whether `secret` is not in `text`, nor a part of it that is long enough to mean something."""
    return secret not in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rtsp://10.0.0.7/live", "rtsp://10.0.0.7/live"),
        ("rtsp://admin:hunter2@10.0.0.7/live", "rtsp://***@10.0.0.7/live"),
        ("rtsp://admin@10.0.0.7:554/live", "rtsp://***@10.0.0.7:554/live"),
        ("RTSP://a:p@ss@host/x", "RTSP://***@host/x"),
        ("rtsp://a:p/w?x#y@host/live", "rtsp://***@host/live"),
        ("http://cam/v?user=a&pwd=b&channel=1", "http://cam/v?user=***&pwd=***&channel=1"),
        ("http://cam/v?channel=1;token=abc", "http://cam/v?channel=1;token=***"),
        ("http://cam/v?c2VjcmV0", "http://cam/v?***"),
        ("http://cam/v#access=abc", "http://cam/v#***"),
        (
            "rtsp://cam/user=admin_password=tlJwpbo6_channel=1_stream=0.sdp",
            "rtsp://cam/user=***",
        ),
        ("see https://example.org/docs for help", "see https://example.org/docs for help"),
        ("mail me@example.org, path a/b:c", "mail me@example.org, path a/b:c"),
        ("two: rtsp://a:b@c/1 rtsp://d:e@f/2", "two: rtsp://***@c/1 rtsp://***@f/2"),
    ],
)
def test_examples(text: str, shown: str) -> None:
    assert redact(text) == shown
    assert redact(shown) == shown


@given(user=ENCODED, password=ENCODED, host=HOST, path=PATH, around=AROUND)
def test_user_and_password_never_show(user: str, password: str, host: str, path: str, around: str) -> None:
    address = f"rtsp://{user}:{password}@{host}{path}"
    text = around.replace("{}", address)
    assume(password not in text.replace(f"{user}:{password}@", ""))
    assume(user not in text.replace(f"{user}:{password}@", ""))
    shown = redact(text)
    assert password not in shown
    assert user not in shown
    assert redact(shown) == shown


@given(password=SECRET, host=HOST, path=PATH)
def test_nor_do_those_that_were_not_encoded(password: str, host: str, path: str) -> None:
    address = f"rtsp://admin:{password}@{host}{path}"
    assume(password not in f"admin{host}{path}")
    assert password not in redact(f"open {address} failed")
    assert password not in redact(f"{address}: failed")


@given(
    name=st.from_regex(r"[a-z_]{2,12}", fullmatch=True),
    secret=st.from_regex(r"[A-Za-z0-9+/=%_.\-]{33,60}", fullmatch=True),
    around=AROUND,
)
def test_long_query_values_never_show_whatever_they_are_called(name: str, secret: str, around: str) -> None:
    text = around.replace("{}", f"http://cam/stream?channel=1&{name}={secret}")
    assert secret not in redact(text)


@given(st.text())
def test_any_text_is_taken_and_redacting_twice_changes_nothing(text: str) -> None:
    shown = redact(text)
    assert redact(shown) == shown


class TestAddress:
    def test_shows_itself_without_credentials(self) -> None:
        address = Address.parse("rtsp://admin:hunter2@cam/live")
        for shown in (str(address), repr(address), f"{address}", f"{[address]}"):
            assert "hunter2" not in shown
            assert "admin" not in shown
        assert address.reveal() == "rtsp://admin:hunter2@cam/live"
        assert address.scheme == "rtsp"
        assert address == Address.parse("rtsp://admin:hunter2@cam/live")

    @pytest.mark.parametrize(
        "text",
        [
            "rtsp://cam",
            "rtsps://[::1]:8322/x",
            "RTSP://u:p%40ss@cam:554/a?b=c",
            "https://cam.example/video.mjpg",
        ],
    )
    def test_takes_what_cameras_use(self, text: str) -> None:
        assert Address.parse(text).reveal() == text

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("", "must start with"),
            ("cam/live", "must start with"),
            ("ftp://admin:hunter2@cam/x", "must start with"),
            ("rtsp://", "HOST"),
            ("rtsp://admin:hunter2@/x", "HOST"),
            ("rtsp://admin:hun/ter2@cam/x", "%2F"),
            ("rtsp://admin:hun?ter2@cam/x", "%3F"),
            ("rtsp://admin:hun ter2@cam/x", "%20"),
            ("rtsp://admin:hunter2\n@cam/x", "%20"),
            ("rtsp://admin:hunter2", "HOST"),
            ("rtsp://cam:port/hunter2@x", "%2F"),
            ("rtsp://cam/\ud800", "%20"),
        ],
    )
    def test_refuses_the_rest_without_showing_the_secret(self, text: str, words: str) -> None:
        with pytest.raises(UsageError, match=words) as caught:
            Address.parse(text)
        whole = "".join(traceback.format_exception(caught.value))
        for part in ("admin", "hunter2", "hun", "ter2"):
            assert part not in str(caught.value)
            assert part not in whole.split("UsageError")[-1]
        assert caught.value.__context__ is None

    @given(st.text(max_size=60))
    def test_any_text_is_taken_or_refused_as_usage(self, text: str) -> None:
        try:
            assert Address.parse(text).reveal() == text
        except UsageError as error:
            assert error.exit_code == 2  # noqa: PT017 - both ends are right


def test_log_events_are_redacted_to_any_depth() -> None:
    url = "rtsp://admin:hunter2@cam/live"
    event = {
        "event": f"lost {url}",
        "list": [url, {"deep": (url,)}],
        "error": ValueError(url),
        "address": Address.parse(url),
        "number": 3,
    }
    shown = redact_event(None, "info", event)
    assert "hunter2" not in str(shown)
    assert shown["number"] == 3
    assert shown["list"][1]["deep"] == (f"rtsp://{HIDDEN}@cam/live",)

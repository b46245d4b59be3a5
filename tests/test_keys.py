"""Keys: bound to one origin, readable by one user, printed nowhere."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import ConfigError
from bridge.keys import Secret, check_transport, find_key, forget_key, key_file, origin, save_key

URL = "http://127.0.0.1:8080"


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "config"
    monkeypatch.setenv("ANNOBRIDGE_CONFIG_DIR", str(folder))
    return folder


# -- Secret


def test_a_secret_is_never_shown(caplog: pytest.LogCaptureFixture) -> None:
    secret = Secret("hunter2")
    with caplog.at_level(logging.INFO):
        logging.getLogger("x").info("%s %r", secret, [secret])
    shown = f"{secret} {secret!r} {secret!s:>30} {[secret]} {'%s' % secret} {caplog.text}"  # noqa: UP031
    assert "hunter2" not in shown
    assert "***" in shown


@pytest.mark.parametrize("leak", [pickle.dumps, copy.deepcopy, json.dumps, vars], ids=lambda f: f.__name__)
def test_a_secret_does_not_leave_by_accident(leak) -> None:
    with pytest.raises(TypeError):
        leak(Secret("hunter2"))


def test_secrets_compare_by_value() -> None:
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1
    assert Secret("\ud800é") == Secret("\ud800é")


# -- origins


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://example.org", "http://example.org:80"),
        ("HTTPS://Example.ORG/", "https://example.org:443"),
        ("https://example.org:8443/a/b", "https://example.org:8443"),
        ("http://[::1]:9", "http://[::1]:9"),
        ("http://[0:0:0:0:0:0:0:1]", "http://[::1]:80"),
    ],
)
def test_origin(url: str, expected: str) -> None:
    assert origin(url) == expected
    assert origin(expected) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org",
        "//example.org",
        "ftp://example.org",
        "file:///etc/passwd",
        "http://",
        "http://:80",
        "http://user@example.org",
        "http://user:hunter2@example.org",
        "http://@example.org",
        "http://example.org?",
        "http://example.org/?key=hunter2",
        "http://example.org/#hunter2",
        "http://example.org:0",
        "http://example.org:65536",
        "http://example.org:x",
        "http://[::1",
        "http://[::1%25eth0]",
        "http://exa mple.org",
        "http://example.org\n",
        "http://exa\tmple.org",
        "http://example.org\\@evil.example",
        "http://exämple.org",
        "http://%65vil.example",
    ],
)
def test_other_addresses_are_refused_with_a_remedy_and_without_an_echo(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        origin(url)
    assert caught.value.remedy
    assert "hunter2" not in str(caught.value)


@given(st.text())
def test_any_text_is_an_origin_or_a_config_error(text: str) -> None:
    for url in (text, f"http://{text}"):
        try:
            where = origin(url)
        except ConfigError:
            continue
        assert origin(where) == where


@pytest.mark.parametrize("url", ["http://localhost", "http://127.0.0.1:8080", "http://127.9.9.9", "http://[::1]:80"])
def test_plain_http_may_go_to_this_machine(url: str) -> None:
    check_transport(url)


@pytest.mark.parametrize(
    "url",
    ["http://example.org", "http://10.0.0.1", "http://localhost.example.org", "http://0.0.0.0", "http://2130706433"],
)
def test_plain_http_goes_elsewhere_only_when_allowed(url: str) -> None:
    with pytest.raises(ConfigError, match="plain http"):
        check_transport(url)
    check_transport(url, allow_http=True)
    check_transport(url.replace("http:", "https:"))


# -- the key file


def test_a_saved_key_is_found_by_its_exact_origin(config: Path) -> None:
    save_key(f"{URL}/", Secret("one"))
    save_key("https://example.org", Secret("two"))
    assert find_key("HTTP://127.0.0.1:8080/projects") == Secret("one")
    assert find_key("https://example.org:443") == Secret("two")
    for other in ("https://127.0.0.1:8080", "http://127.0.0.1:8081", "http://localhost:8080", "http://example.org"):
        with pytest.raises(ConfigError, match="has no key for"):
            find_key(other)


def test_a_forgotten_key_is_gone_and_the_others_stay(config: Path) -> None:
    save_key(URL, Secret("one"))
    save_key("https://example.org", Secret("two"))
    forget_key(f"{URL}/", Secret("one"))
    assert json.loads(key_file().read_text()) == {"https://example.org:443": "two"}
    assert stat.S_IMODE(key_file().stat().st_mode) == 0o600


def test_a_key_that_took_its_place_is_not_forgotten() -> None:
    save_key(URL, Secret("newer"))
    forget_key(URL, Secret("older"))
    assert find_key(URL) == Secret("newer")


def test_nothing_is_written_to_forget_what_is_not_there() -> None:
    forget_key(URL, Secret("one"))
    assert not key_file().exists()


def test_only_the_owner_can_read_it(config: Path) -> None:
    save_key(URL, Secret("one"))
    assert stat.S_IMODE(config.stat().st_mode) == 0o700
    assert stat.S_IMODE(key_file().stat().st_mode) == 0o600
    assert [file.name for file in config.iterdir()] == ["keys.json"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_file_that_others_can_read_is_refused(mode: int) -> None:
    save_key(URL, Secret("one"))
    key_file().chmod(mode)
    for action in (lambda: find_key(URL), lambda: save_key(URL, Secret("two"))):
        with pytest.raises(ConfigError, match="other users") as caught:
            action()
        assert caught.value.remedy == f"chmod 600 {key_file()}"


def test_a_folder_in_which_others_can_replace_it_is_refused(config: Path) -> None:
    save_key(URL, Secret("one"))
    config.chmod(0o777)
    with pytest.raises(ConfigError, match="other users"):
        find_key(URL)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"http://127.0.0.1:8080": 1}', '{"x": "hunter2"', "\x00"])
def test_a_damaged_file_is_named_kept_and_not_quoted(text: str) -> None:
    save_key(URL, Secret("one"))
    key_file().write_text(text)
    for action in (lambda: find_key(URL), lambda: save_key(URL, Secret("two"))):
        with pytest.raises(ConfigError, match=r"keys\.json") as caught:
            action()
        assert "hunter2" not in str(caught.value)
    assert key_file().read_text() == text


def test_a_crash_while_writing_leaves_the_old_file(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_key(URL, Secret("one"))

    def crash(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", crash)
    with pytest.raises(ConfigError, match="No space left"):
        save_key(URL, Secret("two"))
    assert find_key(URL) == Secret("one")
    assert [file.name for file in config.iterdir()] == ["keys.json"]


def test_the_environment_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    save_key(URL, Secret("from-file"))
    assert find_key(URL, "MY_KEY") == Secret("from-file")
    monkeypatch.setenv("MY_KEY", "from-environment")
    assert find_key(URL, "MY_KEY") == Secret("from-environment")
    assert find_key(URL) == Secret("from-file")


def test_without_a_key_the_error_says_what_to_set() -> None:
    with pytest.raises(ConfigError) as caught:
        find_key(URL, "MY_KEY")
    assert "MY_KEY" in caught.value.reason
    assert "set the environment variable MY_KEY" in caught.value.remedy
    assert str(key_file()) in caught.value.reason


@pytest.mark.parametrize("key", ["", " ", "a b", "abc\n", "abc\r", "a\x00b", "clé", "a\u200bb", "\ud800"])
def test_what_cannot_be_a_key_is_refused_unseen(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError):
        save_key(URL, Secret(key))
    if "\0" not in key and key.isprintable():
        monkeypatch.setenv("MY_KEY", key)
        with pytest.raises(ConfigError, match="MY_KEY") as caught:
            find_key(URL, "MY_KEY")
        assert not key.strip() or key not in str(caught.value)

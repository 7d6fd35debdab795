"""One rule for every request: who goes through which proxy, and what is refused."""

from __future__ import annotations

import pytest

from dexmm.config.proxy import certificates, environment_proxies, proxy_for
from dexmm.errors import BadInput

NODE = "https://node.example/v2/key"
NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE")
ONE, TWO, THREE = "http://one:1", "http://two:2", "http://three:3"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in (*NAMES, "CURL_CA_BUNDLE", "REQUEST_METHOD"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return monkeypatch


def with_(environment: pytest.MonkeyPatch, **variables: str) -> None:
    for name, value in variables.items():
        environment.setenv(name, value)


@pytest.mark.parametrize(
    ("variables", "url", "proxy"),
    [
        ({}, NODE, None),
        ({"HTTPS_PROXY": ONE}, NODE, ONE),
        ({"https_proxy": ONE}, NODE, ONE),
        ({"HTTP_PROXY": ONE}, NODE, None),  # of http URLs alone
        ({"HTTP_PROXY": ONE}, "http://node.example", ONE),
        ({"ALL_PROXY": ONE}, NODE, ONE),
        ({"ALL_PROXY": ONE, "HTTPS_PROXY": TWO}, NODE, TWO),
        ({"HTTPS_PROXY": "one:3128"}, NODE, "http://one:3128"),
        ({"HTTPS_PROXY": ONE, "NO_PROXY": "node.example"}, NODE, None),
        ({"HTTPS_PROXY": ONE, "NO_PROXY": "other.example, .example"}, NODE, None),
        ({"HTTPS_PROXY": ONE, "NO_PROXY": "ode.example"}, NODE, ONE),
        ({"HTTPS_PROXY": ONE, "NO_PROXY": "*"}, NODE, None),
        ({"HTTPS_PROXY": ONE, "NO_PROXY": "node.example:8545"}, NODE, ONE),
        ({"HTTPS_PROXY": ONE, "NO_PROXY": "node.example:8545"}, "https://node.example:8545", None),
        ({"HTTP_PROXY": ONE, "NO_PROXY": "x,10.0.0.0/8"}, "http://10.1.2.3:8545", None),
        ({"HTTP_PROXY": ONE, "NO_PROXY": "10.0.0.0/8"}, "http://11.1.2.3:8545", ONE),
        ({"HTTP_PROXY": ONE, "NO_PROXY": "fd00::/8"}, "http://[fd00::1]:8545", None),
        ({"HTTP_PROXY": ONE, "NO_PROXY": "[fd00::1]"}, "http://[fd00::1]:8545", None),
        ({"HTTP_PROXY": ONE, "NO_PROXY": "fd00::/8"}, "http://[fe80::1]:8545", ONE),
        ({"HTTPS_PROXY": ONE, "NO_PROXY": "NODE.example"}, NODE, None),
        ({"HTTPS_PROXY": ONE, "NO_PROXY": "10.1.2.3, ,node.example"}, NODE, None),
        ({"HTTPS_PROXY": ONE, "NO_PROXY": ""}, NODE, ONE),
        ({"ALL_PROXY": ONE}, "http://127.0.0.1:8710", None),
        ({"ALL_PROXY": ONE}, "http://localhost:8710", None),
        ({"ALL_PROXY": ONE}, "http://[::1]:8710", None),
        ({"ALL_PROXY": ONE}, "http://127.0.0.3:8710", ONE),  # as requests does
    ],
)
def test_the_environment(
    environment: pytest.MonkeyPatch, variables: dict[str, str], url: str, proxy: str | None
) -> None:
    with_(environment, **variables)
    assert proxy_for(url, None) == proxy


def test_the_setting_comes_before_the_environment(environment: pytest.MonkeyPatch) -> None:
    with_(environment, HTTPS_PROXY=ONE, ALL_PROXY=TWO)
    assert proxy_for(NODE, THREE) == THREE
    assert proxy_for(NODE, "direct") is None
    assert proxy_for("http://127.0.0.1:8545", THREE) is None
    with_(environment, NO_PROXY="node.example")
    assert proxy_for(NODE, THREE) is None


@pytest.mark.parametrize("value", ["socks5://one:1080", "socks5h://user:hush@one", "socks4://one"])
def test_socks_is_refused_and_its_password_not_repeated(
    environment: pytest.MonkeyPatch, value: str
) -> None:
    with_(environment, ALL_PROXY=value)
    with pytest.raises(BadInput, match="ALL_PROXY names a SOCKS proxy") as refused:
        proxy_for(NODE, None)
    assert "hush" not in refused.value.message
    assert proxy_for("http://127.0.0.1:1", None) is None  # which needs none
    assert proxy_for(NODE, "direct") is None


@pytest.mark.parametrize("value", ["ftp://one:1", "http://", "http://one:notaport"])
def test_what_is_no_proxy_is_refused(environment: pytest.MonkeyPatch, value: str) -> None:
    with_(environment, HTTPS_PROXY=value)
    with pytest.raises(BadInput, match="HTTPS_PROXY is not a proxy's URL"):
        proxy_for(NODE, None)


def test_certificates_of_a_proxy_that_opens_tls(environment: pytest.MonkeyPatch) -> None:
    assert certificates() is True
    with_(environment, REQUESTS_CA_BUNDLE="/etc/company.pem")
    assert certificates() == "/etc/company.pem"


def test_every_proxy_of_the_environment_is_known(environment: pytest.MonkeyPatch) -> None:
    with_(environment, HTTPS_PROXY=ONE, ALL_PROXY=TWO, NO_PROXY="x")
    assert sorted(environment_proxies()) == [ONE, TWO]

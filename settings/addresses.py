"""Lists of addresses that may call, and of proxies that are believed, as networks."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    collapse_addresses,
    ip_address,
    ip_network,
)
from typing import Annotated

from pydantic import AfterValidator

Network = IPv4Network | IPv6Network
_ALL_IPV4 = IPv6Network("::ffff:0:0/96")
"""How a listener of both kinds sees callers by IPv4 (RFC 4291, 2.5.5.2)."""


def _is_a_network(text: str) -> str:
    try:
        ip_network(text)
    except ValueError:
        raise ValueError('must be an address or a network, such as "10.0.0.0/8" or "2001:db8::1"') from None
    return text


Addresses = tuple[Annotated[str, AfterValidator(_is_a_network)], ...]


def _are_proxies(text: str) -> str:
    """Uvicorn keeps what is no address as a name that never matches: a mistake would only show by its silence."""
    for proxy in _split(text):
        try:
            ip_network(proxy)
        except ValueError:
            raise ValueError(
                'must be addresses or networks with commas between, such as "10.0.0.5, 10.0.0.6", or "*" alone'
            ) from None
    return text


Proxies = Annotated[str, AfterValidator(_are_proxies)]
"""Addresses and networks with commas between; "*": everybody; empty: nobody."""


def holds_everybody(proxies: str) -> bool:
    """Whether any caller is taken for a proxy, so that each may say where they come from."""
    if proxies == "*":
        return True
    networks = [ip_network(proxy) for proxy in _split(proxies)]
    ipv4 = [network for network in networks if isinstance(network, IPv4Network)]
    ipv6 = [network for network in networks if isinstance(network, IPv6Network)]
    return any(not network.prefixlen for network in collapse_addresses(ipv4)) or any(
        _ALL_IPV4.subnet_of(network) for network in collapse_addresses(ipv6)
    )


def _split(proxies: str) -> Iterator[str]:
    if proxies.strip() and proxies != "*":
        yield from (proxy.strip() for proxy in proxies.split(","))


@lru_cache(maxsize=64)
def _networks(listed: Sequence[str]) -> Sequence[Network]:
    return tuple(ip_network(text) for text in listed)


@lru_cache(maxsize=4096)
def is_listed(address: str, listed: Addresses) -> bool:
    """Whether the address is in one of the networks; what is no address is in none. IPv4 in IPv6 counts as IPv4."""
    asked = _as_seen(address)
    return asked is not None and any(asked in network for network in _networks(listed))


@lru_cache(maxsize=4096)
def origin(address: str) -> str:
    """Who counts as one caller: an address of IPv4, a /64 of IPv6, which one subscriber has; "" for what is no address."""
    asked = _as_seen(address)
    if isinstance(asked, IPv6Address):
        return str(ip_network((int(asked) >> 64 << 64, 64)))
    return "" if asked is None else str(asked)


def _as_seen(address: str) -> IPv4Address | IPv6Address | None:
    try:
        asked = ip_address(address)
    except ValueError:
        return None
    return getattr(asked, "ipv4_mapped", None) or asked

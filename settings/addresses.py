"""Lists of addresses that may call, as networks."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Annotated

from pydantic import AfterValidator

Network = IPv4Network | IPv6Network


def _is_a_network(text: str) -> str:
    try:
        ip_network(text)
    except ValueError:
        raise ValueError('must be an address or a network, such as "10.0.0.0/8" or "2001:db8::1"') from None
    return text


Addresses = tuple[Annotated[str, AfterValidator(_is_a_network)], ...]


@lru_cache(maxsize=64)
def _networks(listed: Sequence[str]) -> Sequence[Network]:
    return tuple(ip_network(text) for text in listed)


@lru_cache(maxsize=4096)
def is_listed(address: str, listed: Addresses) -> bool:
    """Whether the address is in one of the networks; what is no address is in none. IPv4 in IPv6 counts as IPv4."""
    try:
        asked = ip_address(address)
    except ValueError:
        return False
    asked = getattr(asked, "ipv4_mapped", None) or asked
    return any(asked in network for network in _networks(listed))

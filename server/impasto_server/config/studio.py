"""The studio: a page for browsers."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field
from pydantic_settings import CliImplicitFlag, NoDecode

from impasto_server.config.values import Address, AddressText, split

_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?", re.ASCII)


def _checked_names(names: tuple[str, ...]) -> tuple[str, ...]:
    if not all(_NAME.fullmatch(name) for name in names):
        raise ValueError("Input should be host names without ports, such as studio.example.com, separated by commas")
    return tuple(name.lower() for name in names)


def _checked_networks(networks: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return tuple(str(ip_network(network)) for network in networks)
    except ValueError:
        raise ValueError(
            "Input should be addresses or networks, such as 10.0.0.7 or 10.0.0.0/8, separated by commas"
        ) from None


class StudioOptions(BaseModel, frozen=True):
    """The studio, a page for browsers."""

    studio: CliImplicitFlag[bool] = Field(
        False, description="serve the studio, a page that paints in a browser; it needs the extra studio"
    )
    studio_listen: AddressText = Field(
        "127.0.0.1:8503",
        description="host:port of the studio over HTTP, or HTTPS with tls_cert; port 0 is any free one",
    )
    studio_hosts: Annotated[tuple[str, ...], NoDecode, BeforeValidator(split), AfterValidator(_checked_names)] = Field(
        (),
        description="names by which browsers reach the studio, separated by commas, such as studio.example.com; an "
        "address and localhost always do, and any other name is refused, as it may be another site's",
    )
    studio_proxies: Annotated[tuple[str, ...], NoDecode, BeforeValidator(split), AfterValidator(_checked_networks)] = (
        Field(
            (),
            description="addresses or networks of proxies before the studio, separated by commas, whose "
            "X-Forwarded-For is believed; without it all browsers behind a proxy are taken for one caller",
        )
    )

    @property
    def studio_address(self) -> Address | None:
        """Return where the studio is to listen; None where it is off."""
        return Address.parse(self.studio_listen) if self.studio else None

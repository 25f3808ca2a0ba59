"""Which bundles are served, and where new ones come from."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

from impasto.bundle import STARTER
from impasto_server.config.values import Places


class BundleOptions(BaseModel, frozen=True):
    """Which bundles are served, and where new ones come from."""

    bundles: Places = Field(
        (),
        description="a bundle's directory, or a URL of one such as s3://bucket/bundles/mine; repeat it, or separate "
        "several by commas; the starter bundle if none and no bundle_store",
    )
    bundle_store: str | None = Field(
        None,
        repr=False,
        min_length=1,
        description="a folder, or a URL such as s3://bucket/bundles, that is watched: bundles that appear in it, as "
        "NAME/bundle.json or NAME/VERSION/bundle.json, are loaded while serving; none if none",
    )
    bundle_poll_seconds: float = Field(
        10.0, gt=0, allow_inf_nan=False, description="how long between two looks into bundle_store"
    )
    bundle_versions: int = Field(
        2, ge=1, description="versions of each bundle that are held, the current one included, for requests to name"
    )
    bundle_probe: Literal["on", "off"] = Field(
        "on",
        description="whether a bundle has to paint a probe photo, to be looked at, before it is served; off is for "
        "bundles that are not meant to paint, as in tests",
    )
    bundle_cache: Path | None = Field(
        None,
        description="where bundles from a store or a URL are copied to before they are served; a folder in state_dir "
        "if none",
    )

    @property
    def bundle_sources(self) -> tuple[str, ...]:
        return self.bundles or (() if self.bundle_store else (str(STARTER),))

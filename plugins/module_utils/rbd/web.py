# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Web servers that librbd reads images from."""

from __future__ import annotations

from ..core.errors import StorageError

_PART = 206


def check_ranges(url: str, timeout: int) -> None:
    """Raises StorageError for a server that does not answer, or not with a part: librbd fails at that once it reads."""
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import ProxyHandler, Request, build_opener

    # librbd takes no proxy.
    opener = build_opener(ProxyHandler({}))
    try:
        with opener.open(Request(url, headers={"Range": "bytes=0-0"}), timeout=timeout) as answer:
            status = answer.status
    except HTTPError as error:
        raise StorageError(f"{url}: the server answers {error.code} {error.reason}") from None
    except (OSError, ValueError, HTTPException) as error:
        raise StorageError(f"{url}: {getattr(error, 'reason', error)}") from None
    if status != _PART:
        raise StorageError(
            f"{url}: the server answers with the whole file where a part is asked for; librbd needs parts"
        )

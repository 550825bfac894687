# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hold what several modules return to one text: `python -m tests.tools.returns [--write]`."""

from __future__ import annotations

import argparse
import re
import textwrap
from pathlib import Path

import yaml

from tests.tools.checkout import ROOT

TEXTS = Path(__file__).with_suffix(".yml")
_RETURN = re.compile(r'^RETURN = r"""\n(.*?)^"""$', re.MULTILINE | re.DOTALL)


def settled(module: str, source: str) -> str:
    """A module's source with what it returns in the words of all of them."""
    found = _RETURN.search(source)
    if found is None:
        return source
    told = found.group(1)
    for key, about in yaml.safe_load(TEXTS.read_text()).items():
        if module not in about.get("except", ()):
            text = f"{key}:\n{textwrap.indent(about['text'], '  ')}"
            told = re.sub(rf"^{key}:\n(?: .*\n|\n(?= ))*", lambda _old, new=text: new, told, flags=re.MULTILINE)
    return source[: found.start(1)] + told + source[found.end(1) :]


def main() -> int:
    """Name the modules that say it otherwise, or write it into them; 1 if any were named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    write = parser.parse_args().write
    other = 0
    for path in sorted((ROOT / "plugins/modules").glob("*.py")):
        source = path.read_text()
        wanted = settled(path.stem, source)
        if wanted == source:
            continue
        if write:
            path.write_text(wanted)
        else:
            other = 1
            print(f"{path.relative_to(ROOT)}: RETURN differs from {TEXTS.relative_to(ROOT)}; --write mends it")
    return other


if __name__ == "__main__":
    raise SystemExit(main())

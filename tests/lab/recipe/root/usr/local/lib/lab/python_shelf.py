# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules from zip files, imported once for many processes.

For each task, Ansible sends a zip file with the module and all that it imports, mostly the same files. What a process
had to import from its zip file it tells the server, which imports that as well, so that the processes that it forks
from then on have it: if none of the files with those names is another one in their zip file.
"""

from __future__ import annotations

import _imp
import contextlib
import gc
import importlib
import importlib.abc
import marshal
import os
import sys
import types
import zipimport
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from typing import NamedTuple

KEPT = "/var/cache/lab-python"


class File(NamedTuple):
    """A Python file in a zip file; its code is kept at a path of its own."""

    path: str
    size: int
    crc: int
    code: str


compiled: dict[str, str] = {}  # where the code is kept, by the name that it was compiled with


def kept(name: str, source: bytes | str) -> types.CodeType:
    """The code of a text, compiled now or before; then it has the name of that time."""
    data = source if isinstance(source, bytes) else source.encode()
    path = compiled[name] = f"{KEPT}/{_imp.source_hash(0, data).hex()}"
    with contextlib.suppress(OSError):
        return read(path)
    code: types.CodeType = compile(source, name, "exec", dont_inherit=True)
    with contextlib.suppress(OSError):
        with open(f"{path}.{os.getpid()}", "wb") as new:
            new.write(marshal.dumps(code))
        os.rename(new.name, path)
    return code


def read(path: str) -> types.CodeType:
    """Code that is kept."""
    with open(path, "rb") as file:
        code: types.CodeType = marshal.loads(file.read())
    return code


def in_zip_file(archive: str) -> dict[str, tuple[int, int]]:
    """The size and the checksum of each file in a zip file; none if it is something else."""
    with contextlib.suppress(zipimport.ZipImportError):
        zipimport.zipimporter(archive)  # reads the directory, unless that is known
    entries = zipimport._zip_directory_cache.get(archive) or {}  # type: ignore[attr-defined]
    return {path: (entry[3], entry[7]) for path, entry in entries.items()}


def imported() -> dict[str, File]:
    """What this process has imported of Ansible from its zip files (which may be gone), and not from the shelf."""
    found = {}
    for archive in list(zipimport._zip_directory_cache):  # type: ignore[attr-defined]
        for path, (size, crc) in in_zip_file(archive).items():
            code = compiled.get(f"{archive}/{path}")
            name = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            if code and name in sys.modules and name.startswith("ansible"):
                found[name] = File(path, size, crc, code)
    return found


class Filler(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports modules by their code alone."""

    def __init__(self, files: dict[str, File], placed: dict[str, types.CodeType]) -> None:
        self.files = files
        self.placed = placed  # what asks where it is, which no two processes agree on

    def find_spec(self, fullname: str, _path: object, _target: object = None) -> ModuleSpec | None:
        if fullname not in self.files:
            return None
        path = self.files[fullname].path
        within: list[str] | None = [] if path.endswith("/__init__.py") else None
        return spec_from_file_location(fullname, path, loader=self, submodule_search_locations=within)

    def exec_module(self, module: types.ModuleType) -> None:
        code = read(self.files[module.__name__].code)
        exec(code, module.__dict__)
        if "__file__" in code.co_names:
            self.placed[module.__name__] = code


class Shelf(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """In the server it is filled; a process that looks for one of its modules takes all that are in its zip file."""

    def __init__(self) -> None:
        self.files: dict[str, File] = {}
        self.modules: dict[str, types.ModuleType] = {}
        self.placed: dict[str, types.CodeType] = {}

    def fill(self, files: dict[str, File]) -> None:
        """Import more; if one of them is known with another text, they replace all that is here."""
        if any(self.files.get(name, file) != file for name, file in files.items()):
            self.files, self.modules, self.placed = {}, {}, {}
        self.files.update(files)
        sys.modules.update(self.modules)
        filler = Filler(self.files, self.placed)
        sys.meta_path.insert(0, filler)
        try:
            for name in files:
                importlib.import_module(name)
            self.modules = {name: sys.modules[name] for name in self.files}
        except BaseException as error:
            print(f"processes import for themselves: {error!r}", file=sys.stderr)
            self.modules = {}
        finally:
            sys.meta_path.remove(filler)
            for name in self.files:
                sys.modules.pop(name, None)
        gc.freeze()

    def find_spec(self, fullname: str, _path: object, _target: object = None) -> ModuleSpec | None:
        if fullname not in self.modules:
            return None
        archive = sys.path[0]
        there = in_zip_file(archive)
        mine = {name: file for name, file in self.files.items() if file.path in there}
        if fullname not in mine:
            return None
        sys.meta_path.remove(self)
        if any(there[file.path] != (file.size, file.crc) for file in mine.values()):
            return None
        loader = zipimport.zipimporter(archive)
        for name, file in mine.items():
            module = sys.modules[name] = self.modules[name]
            if module.__name__ != name:  # it has put another one in its place
                continue
            place = f"{archive}/{file.path}"
            within = [os.path.dirname(place)] if place.endswith("/__init__.py") else None
            spec = spec_from_file_location(name, place, loader=loader, submodule_search_locations=within)
            module.__spec__, module.__loader__, module.__file__ = spec, loader, place
            if within:
                module.__path__ = within
        for name in mine.keys() & self.placed.keys():
            exec(self.placed[name], self.modules[name].__dict__)
        return ModuleSpec(fullname, self)

    def create_module(self, spec: ModuleSpec) -> types.ModuleType:
        return self.modules[spec.name]

    def exec_module(self, module: types.ModuleType) -> None:
        """It is complete."""

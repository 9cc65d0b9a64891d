"""How are `_scan_c` and `_loops_c` compiled when the package is installed?

A hook of hatchling's. Where no compiler is found, the package is installed without them: `_scan_py`
and `_loops_py` do the same, slower.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCES = sorted(Path(__file__).parent.glob("_*_c.pyx"))


class CompiledPart(BuildHookInterface[Any]):
    """Puts the compiled modules beside their sources, and into a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Runs before the package is built; version: ``standard`` or ``editable``."""
        for old in Path(__file__).parent.glob("_*_c.*.so"):
            old.unlink()
        try:
            with TemporaryDirectory() as folder:
                compile_in_place(Path(self.root), Path(folder))
        except Exception as error:  # whatever a compiler's absence looks like on this system
            self.app.display_warning(f"Nothing is compiled: {error}")
            return
        build_data["artifacts"].append("crawler/parse/_*_c.*.so")
        build_data["pure_python"] = False
        build_data["infer_tag"] = True


def compile_in_place(root: Path, made: Path) -> None:
    """Compile in place. Raises what Cython, setuptools and the compiler raise.

    root: of the project. made: a folder for what is made on the way.
    """
    import lxml
    from Cython.Build import cythonize
    from setuptools import Distribution, Extension

    extensions = [
        Extension(
            f"crawler.parse.{source.stem}",
            [str(source.relative_to(root))],
            include_dirs=lxml.get_include(),  # type: ignore[attr-defined]  # stubs lack it
            extra_compile_args=["-O2", "-g0"],
        )
        for source in SOURCES
    ]
    modules = cythonize(extensions, build_dir=str(made), quiet=True, force=True)  # type: ignore[no-untyped-call]  # no types
    command = Distribution({"name": "crawler", "ext_modules": modules}).get_command_obj("build_ext")
    command.inplace = True
    command.build_temp = command.build_lib = str(made)
    command.ensure_finalized()
    command.run()

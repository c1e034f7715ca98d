"""The import layers of the package, read from the source (nothing is run)."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import gristmill

PACKAGE = Path(gristmill.__file__).parent

LAYERS = [
    "errors files progress schema room tables documents stage text config units spdx weights "
    "_core __init__",
    "sources datatrove sampling unique_ids extract normalize dedup decontaminate pii licenses "
    "tokenizer packing filters shards engines",
    "ledger stages steps recipe init build corpus cards classifier trace inspection verify",
    "train finetune evaluate export",
    "cli serve demo __main__",
]
LAYER_OF = {name: number for number, names in enumerate(LAYERS) for name in names.split()}
STAGES = {"normalize", "dedup", "pii", "licenses", "extract", "decontaminate", "filters"}


def imports_of(source: str) -> set[str]:
    """Top-level modules of `gristmill` that a source file imports, at any depth of its code."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("gristmill.")}
    return found & LAYER_OF.keys()


def faults_of(module: str, source: str) -> list[str]:
    """What the imports of a module break."""
    faults = [
        f"{module} (layer {LAYER_OF[module]}) imports {name} (layer {LAYER_OF[name]})"
        for name in imports_of(source)
        if LAYER_OF[name] > LAYER_OF[module]
    ]
    if module in STAGES:
        faults += [
            f"the stage {module} imports the stage {name}"
            for name in imports_of(source) & STAGES - {module}
        ]
    return faults


def sources() -> list[tuple[str, Path]]:
    files = [path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py"]
    return [(path.relative_to(PACKAGE).parts[0].removesuffix(".py"), path) for path in files]


@pytest.mark.parametrize(("module", "path"), sources(), ids=lambda value: str(value))
def test_a_module_imports_only_its_own_layer_and_lower_ones(module, path):
    assert module in LAYER_OF, f"{module} has no layer; add it to LAYERS"
    assert faults_of(module, path.read_text(encoding="utf-8")) == []


def test_the_check_sees_an_import_that_goes_up():
    assert faults_of("schema", "def f():\n    from gristmill.build import build\n")
    assert faults_of("dedup", "import gristmill.pii\n")
    assert not faults_of("build", "from gristmill import steps\n")


def test_importing_gristmill_does_not_import_torch():
    code = "import sys, gristmill, gristmill.build, gristmill.cli; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"

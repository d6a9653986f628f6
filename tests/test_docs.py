"""The documentation runs: every Python block, every `kanpde` line, every link; its tables agree with the code.

Blocks of one document share their names, in order, as for a reader who types along. Words after the language
say what is special about a block:

    python slow      only `pytest -m slow` runs it
    python raises    it must fail with the comment in its last line, `# ProblemError: the message`
    text prints      what the Python block before it prints
    sh               lines that begin with `kanpde` go through the command line, others are for the reader
"""

import ast
import contextlib
import io
import re
import shlex
import shutil
import sys
import types
from dataclasses import dataclass
from pathlib import Path

import pytest

import kanpde
from kanpde.cli import main
from kanpde.cli.app import app

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\S*)([^\n]*)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Fenced:
    """One fenced block of a document."""

    document: Path
    line: int
    language: str
    words: tuple[str, ...]
    text: str

    @property
    def place(self) -> str:
        return f"{self.document.relative_to(ROOT)}:{self.line}"


def fenced(document: Path) -> list[Fenced]:
    content = document.read_text(encoding="utf-8")
    return [
        Fenced(document, content.count("\n", 0, m.start()) + 1, m[1], tuple(m[2].split()), m[3])
        for m in FENCE.finditer(content)
    ]


def run_document(document: Path, slow: bool) -> None:
    """Runs a document's blocks in the current directory."""
    module = types.ModuleType("__main__")
    printed = ""
    for block in fenced(document):
        if "slow" in block.words and not slow:
            continue
        if block.language == "python":
            printed = run_python(block, module)
        elif block.language == "sh":
            run_shell(block)
        elif "prints" in block.words:
            assert printed.strip() == block.text.strip(), block.place


def run_python(block: Fenced, module: types.ModuleType) -> str:
    """Runs a block as if it stood at its place in a file, so that errors name the document and its line."""
    code = compile("\n" * block.line + block.text, str(block.document), "exec")
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        if "raises" not in block.words:
            exec(code, vars(module))
            return output.getvalue()
        try:
            exec(code, vars(module))
        except Exception as error:
            said = f"# {type(error).__name__}: {error}"
        else:
            said = "nothing was raised"
    assert said == block.text.strip().splitlines()[-1], block.place
    return output.getvalue()


def run_shell(block: Fenced) -> None:
    for line in block.text.splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["kanpde"]:
            assert main(words[1:]) == 0, f"{block.place}: {line}"


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory with the problems of the project, in which a reader types along."""
    shutil.copytree(ROOT / "problems", tmp_path / "problems", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["python"])


def name(document: Path) -> str:
    return str(document.relative_to(ROOT))


# The first forward mode of a process compiles torch's own rules with torch's own deprecated torch.jit.script.
OWN_MODULES = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")


@OWN_MODULES
@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_blocks_run(document: Path) -> None:
    run_document(document, slow=False)


@OWN_MODULES
@pytest.mark.slow
@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize(
    "document", [d for d in DOCUMENTS if any("slow" in block.words for block in fenced(d))], ids=name
)
def test_blocks_run_with_the_slow_ones(document: Path) -> None:
    run_document(document, slow=True)


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_links_lead_somewhere(document: Path) -> None:
    text = FENCE.sub("", document.read_text(encoding="utf-8"))
    local = [link for link in LINK.findall(text) if "://" not in link]
    broken = [link for link in local if not leads_somewhere(document, link)]
    assert not broken


def leads_somewhere(document: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (document.parent / path).resolve() if path else document
    if not anchor or not target.is_file():
        return target.exists()
    return anchor in anchors(target.read_text(encoding="utf-8"))


def anchors(text: str) -> set[str]:
    """The anchors that a Markdown renderer gives to headings: lower case, without punctuation, hyphens for blanks."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_architecture_lists_the_layers_that_the_tests_enforce() -> None:
    tree = ast.parse((ROOT / "tests" / "test_layers.py").read_text(encoding="utf-8"))
    assignments = [node for node in tree.body if isinstance(node, ast.Assign)]
    enforced = next(ast.literal_eval(a.value) for a in assignments if ast.unparse(a.targets[0]) == "LEVELS")
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([-−]?\d+) \| ([^|]+) \|", text, flags=re.MULTILINE)
    listed = {module: int(level.replace("−", "-")) for level, cell in rows for module in re.findall(r"`(\w+)`", cell)}
    future = enforced.keys() - listed.keys()
    assert listed.items() <= enforced.items()
    assert not [module for module in future if exists(module)]


def exists(module: str) -> bool:
    package = ROOT / "kanpde"
    return (package / module).is_dir() or (package / f"{module}.py").is_file()


@pytest.mark.parametrize("public", kanpde.__all__)
def test_every_public_name_is_explained(public: str) -> None:
    texts = [document.read_text(encoding="utf-8") for document in DOCUMENTS]
    assert any(re.search(rf"\b{public}\b", text) for text in texts), f"no document mentions kanpde.{public}"


def test_every_command_is_in_the_table() -> None:
    listed = re.findall(
        r"^\| `kanpde (\w+)", (ROOT / "docs" / "quickstart.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert sorted(listed) == sorted(
        command.name or command.callback.__name__ for command in app.registered_commands if command.callback
    )


def test_messages_of_the_table_are_those_of_the_code() -> None:
    text = (ROOT / "docs" / "problem-language.md").read_text(encoding="utf-8")
    table = text[text.index("| message contains |") :]
    quoted = [
        part for row in re.findall(r"^\| (`[^|]*) \|", table, re.MULTILINE) for part in re.findall(r"`([^`]+)`", row)
    ]
    code = " ".join(literals())
    assert quoted
    assert not [message for message in quoted if not all(word in code for word in message.split(" … "))]


def literals() -> list[str]:
    """All texts in the package, those of f-strings with their gaps as they are."""
    found = []
    for path in sorted((ROOT / "kanpde").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                found.append("".join(str(v.value) if isinstance(v, ast.Constant) else "{}" for v in node.values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return found

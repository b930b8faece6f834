"""The set-up of the launchers, on machines that a PATH of stand-ins makes up.

`installed` is a folder of package names. The stand-ins for g++, cmake, ninja and python3 are there
when their package is; apt-get adds to the folder and keeps what it was asked in a file.
"""

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import ROOT, assert_one_line_error

BASE = [
    "bash",
    "cat",
    "chmod",
    "cp",
    "dirname",
    "env",
    "flock",
    "grep",
    "mkdir",
    "readlink",
    "rm",
    "sha256sum",
    "tail",
    "timeout",
]
GRADE = ["g++", "cmake", "ninja-build", "libboost-context-dev", "libgtest-dev"]
NEEDED = {"grade": [*GRADE, "python3", "python3-rich"]}
NEEDED["bench"] = [*GRADE[:4], "libbenchmark-dev", GRADE[4], "python3", "python3-rich"]
NEEDED["test"] = [*GRADE[:4], "libbenchmark-dev", GRADE[4], "python3", "python3-venv"]
NEEDED["test"] += ["python3-dev"]
NEEDED["course"] = NEEDED["corpus"] = NEEDED["grade"]
NEEDED["plot"] = [*GRADE[:4], "python3", "python3-venv", "python3-dev"]

STAND_INS = {
    "g++": """
case $1 in
  -dumpfullversion) echo "${GXX_VERSION:-12.2.0}" ;;
  -print-file-name=libboost_context.*) has libboost-context-dev && echo /x/lib || echo lib ;;
  -print-file-name=libgtest.*) has libgtest-dev && echo /x/lib || echo lib ;;
  -print-file-name=libbenchmark.*) has libbenchmark-dev && echo /x/lib || echo lib ;;
esac
""",
    "cmake": 'echo "cmake version ${CMAKE_VERSION:-3.25.1}"',
    "ninja": "echo 1.11",
    "python3": """
case "$*" in
  *sys.version_info*) [ -z "${PYTHON_IS_OLD:-}" ] || exit 1 ;;
  --version) echo "Python 3.9.2" ;;
esac
case "$*" in
  *'import rich'*) has python3-rich ;;
  *'import venv'*) has python3-venv ;;
  *Python.h*) has python3-dev ;;
  '-m venv '*) mkdir -p "$3/bin"; cp "$0" "$3/bin/python" ;;
  '-m pip '*) echo "$*" >>"$HERE/pip.log"; [ -z "${NO_NETWORK:-}" ] ;;
  */course_tools*) echo "started: $0 ${*:2} device=$COURSE_DEFAULT_DEVICE" ;;
esac
""",
}
PACKAGE_OF = {"g++": "g++", "cmake": "cmake", "ninja": "ninja-build", "python3": "python3"}
APT_GET = """
echo "$*" >>"$HERE/apt.log"
[ -z "${NO_NETWORK:-}" ] || { echo 'E: no network'; exit 100; }
for word; do
  case $word in -* | *=* | update | install) ;; *) : >"$HERE/installed/$word" ;; esac
  for tool in "$HERE"/all/*; do
    [ "$(cat "$tool.package")" != "$word" ] || cp "$tool" "$HERE/bin/"
  done
done 2>/dev/null
"""


class Machine:
    def __init__(self, root: Path, packages: list[str], user: int = 1000, os: str = "debian"):
        self.root = root
        for folder in ("bin", "all", "installed"):
            (root / folder).mkdir()
        shutil.copytree(
            ROOT / "scripts", root / "repository/scripts", ignore=shutil.ignore_patterns("figures")
        )
        for name in BASE:
            (root / "bin" / name).symlink_to(shutil.which(name))
        (root / "os-release").write_text(f"ID={os}\n", encoding="utf-8")
        self.tool("bin", "id", f"echo {user}")
        self.tool("bin", "apt-get", APT_GET)
        for name, text in STAND_INS.items():
            self.tool("all", name, text)
            (root / "all" / f"{name}.package").write_text(PACKAGE_OF[name], encoding="utf-8")
            if PACKAGE_OF[name] in packages:
                shutil.copy(root / "all" / name, root / "bin")
        for package in packages:
            (root / "installed" / package).touch()

    def tool(self, folder: str, name: str, text: str) -> None:
        path = self.root / folder / name
        path.write_text(
            f'#!{shutil.which("bash")}\nhas() {{ [ -e "$HERE/installed/$1" ]; }}\n{text}',
            encoding="utf-8",
        )
        path.chmod(0o755)

    def run(self, tool: str, *arguments: str, **env: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [self.root / "repository/scripts" / tool, *arguments],
            env={
                "PATH": str(self.root / "bin"),
                "HERE": str(self.root),
                "COURSE_OS_RELEASE": str(self.root / "os-release"),
                "CUDA_HOME": str(self.root / "nowhere"),
                **env,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def log(self, name: str) -> list[str]:
        path = self.root / name
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def test_nothing_is_installed_where_nothing_is_missing(tmp_path: Path) -> None:
    machine = Machine(tmp_path, NEEDED["grade"], user=0)
    result = machine.run("grade", "01", "--solutions")
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    assert " grade 01 --solutions device=cpu" in result.stdout
    assert machine.log("apt.log") == machine.log("pip.log") == []
    assert not (tmp_path / "repository/.cache").exists()


@pytest.mark.parametrize("tool", NEEDED)
def test_without_root_the_exact_command_is_printed(tmp_path: Path, tool: str) -> None:
    machine = Machine(tmp_path, [])
    result = machine.run(tool, *(["--cpu-device"] if tool == "bench" else []))
    command = f"sudo apt-get install -y {' '.join(NEEDED[tool])}"
    assert_one_line_error(result, 3, f"scripts/{tool}: missing g++", command)
    assert result.stderr.endswith(f"{command}\n")
    assert machine.log("apt.log") == []


@pytest.mark.parametrize("missing", ["cmake", "ninja-build", "libboost-context-dev"])
def test_only_the_missing_packages_are_named(tmp_path: Path, missing: str) -> None:
    machine = Machine(tmp_path, [one for one in NEEDED["grade"] if one != missing])
    result = machine.run("grade")
    assert_one_line_error(result, 3, f"install with: sudo apt-get install -y {missing}")
    assert result.stderr.endswith(f"-y {missing}\n")


def test_another_distribution_is_told_what_is_missing(tmp_path: Path) -> None:
    machine = Machine(tmp_path, [], user=0, os="arch")
    assert_one_line_error(machine.run("grade"), 3, "missing", "Ninja", "on Debian or Ubuntu, ")


@pytest.mark.parametrize("tool", NEEDED)
def test_root_installs_what_is_missing(tmp_path: Path, tool: str) -> None:
    machine = Machine(tmp_path, ["cmake"], user=0)
    result = machine.run(tool)
    assert result.returncode == 0, result.stderr
    assert "started:" in result.stdout
    packages = [package for package in NEEDED[tool] if package != "cmake"]
    first = result.stderr.split("\n")[0]
    assert first == f"scripts/{tool}: installing {' '.join(packages)} (apt-get)"
    update, install = machine.log("apt.log")
    assert update.endswith(" update")
    assert install.endswith(f"install -y --no-install-recommends {' '.join(packages)}")
    again = machine.run(tool)
    assert (again.returncode, again.stderr) == (0, "")
    assert len(machine.log("apt.log")) == 2


def test_root_may_forbid_installing(tmp_path: Path) -> None:
    machine = Machine(tmp_path, [], user=0)
    result = machine.run("grade", COURSE_INSTALL="never")
    assert_one_line_error(result, 3, "install with: apt-get install -y g++")
    assert machine.log("apt.log") == []


def test_a_failed_installation_shows_its_log_and_the_command(tmp_path: Path) -> None:
    machine = Machine(tmp_path, [], user=0)
    result = machine.run("grade", NO_NETWORK="1")
    assert result.returncode == 3
    assert "E: no network" in result.stderr
    assert f"apt-get install -y {' '.join(NEEDED['grade'])}" in result.stderr


def test_googletest_can_be_missing(tmp_path: Path) -> None:
    packages = [one for one in NEEDED["grade"] if one != "libgtest-dev"]
    result = Machine(tmp_path, packages).run("grade")
    assert (result.returncode, result.stderr) == (0, "")


def test_root_without_a_network_asks_for_googletest_once(tmp_path: Path) -> None:
    packages = [one for one in NEEDED["grade"] if one != "libgtest-dev"]
    machine = Machine(tmp_path, packages, user=0)
    for _ in range(2):
        assert machine.run("grade", NO_NETWORK="1").returncode == 0
    assert len(machine.log("apt.log")) == 1


@pytest.mark.parametrize("tool", ["grade", "corpus"])
def test_a_gpu_needs_no_boost(tmp_path: Path, tool: str) -> None:
    packages = [one for one in NEEDED[tool] if one != "libboost-context-dev"]
    machine = Machine(tmp_path, packages)
    result = machine.run(tool, "--device", "cuda")
    assert (result.returncode, result.stderr) == (0, "")
    assert machine.run(tool, "--device=cpu").returncode == 3


def test_a_benchmark_on_a_gpu_needs_what_grading_needs(tmp_path: Path) -> None:
    packages = [one for one in NEEDED["grade"] if one != "libboost-context-dev"]
    machine = Machine(tmp_path, packages)
    result = machine.run("bench", "--device", "cuda")
    assert (result.returncode, result.stderr) == (0, "")
    result = machine.run("bench", "--device", "cpu")
    assert result.returncode == 3
    assert "libboost-context-dev libbenchmark-dev" in result.stderr


def test_the_gpu_is_the_default_where_one_answers(tmp_path: Path) -> None:
    machine = Machine(tmp_path, NEEDED["grade"])
    machine.tool("bin", "nvidia-smi", "echo 'GPU 0: a fast one'")
    assert "device=cpu" in machine.run("grade").stdout
    machine.tool("bin", "nvcc", "")
    assert "device=cuda" in machine.run("grade").stdout
    assert "device=cpu" in machine.run("grade", "--device", "cpu").stdout
    machine.tool("bin", "nvidia-smi", "echo 'No devices were found'; exit 6")
    assert "device=cpu" in machine.run("grade").stdout


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("GXX_VERSION", "11.4.0", "g++ 11.4.0 is too old: 12 or newer"),
        ("CMAKE_VERSION", "3.18.4", "cmake 3.18.4 is too old: 3.22 or newer"),
        ("PYTHON_IS_OLD", "1", "Python 3.9.2 is too old: Python 3.11 or newer"),
    ],
)
def test_a_tool_that_is_too_old(tmp_path: Path, variable: str, value: str, words: str) -> None:
    machine = Machine(tmp_path, NEEDED["grade"])
    assert_one_line_error(machine.run("grade", **{variable: value}), 3, words)


def test_help_needs_python_only(tmp_path: Path) -> None:
    result = Machine(tmp_path, ["python3"]).run("grade", "--help")
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("tool", ["grade", "test", "plot"])
def test_pip_fills_a_venv_once(tmp_path: Path, tool: str) -> None:
    packages = [one for one in NEEDED[tool] if one != "python3-rich"]
    machine = Machine(tmp_path, [*packages, "python3-venv"])
    for words in ("installing Python packages into .venv (pip)", ""):
        result = machine.run(tool)
        assert result.returncode == 0, result.stderr
        assert words in result.stderr
        assert ".venv/bin/python" in result.stdout
    assert len(machine.log("pip.log")) == 1
    with open(tmp_path / "repository/scripts/requirements.txt", "a", encoding="utf-8") as file:
        file.write("another\n")
    machine.run(tool)
    assert len(machine.log("pip.log")) == 2


def test_the_venv_of_the_tests_serves_grade(tmp_path: Path) -> None:
    machine = Machine(tmp_path, NEEDED["test"])
    machine.run("test")
    assert ".venv/bin/python" in machine.run("grade").stdout
    assert len(machine.log("pip.log")) == 1


def test_the_venv_of_the_tests_serves_plot_but_not_jupyter(tmp_path: Path) -> None:
    machine = Machine(tmp_path, NEEDED["test"])
    machine.run("test")
    assert ".venv/bin/python" in machine.run("plot").stdout
    assert len(machine.log("pip.log")) == 1
    result = machine.run("course", "notebook", "01")
    assert result.returncode == 0, result.stderr
    assert "scripts/course: installing Python packages into .venv (pip)" in result.stderr
    assert " course notebook 01 device=cpu" in result.stdout
    assert "requirements-jupyter.txt" in machine.log("pip.log")[1]
    for command in (("course", "notebook"), ("plot",), ("test",), ("grade",)):
        assert machine.run(*command).stderr == ""


def test_jupyter_needs_what_plot_needs(tmp_path: Path) -> None:
    result = Machine(tmp_path, []).run("course", "notebook")
    command = f"sudo apt-get install -y {' '.join(NEEDED['plot'])}"
    assert_one_line_error(result, 3, "scripts/course: missing g++", command)
    assert result.stderr.endswith(f"{command}\n")


@pytest.mark.parametrize("words", [("plot", "--help"), ("course", "--help")])
def test_help_of_the_learners_tools_needs_python_only(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    result = Machine(tmp_path, ["python3"]).run(*words)
    assert (result.returncode, result.stderr) == (0, "")


def test_a_venv_that_was_cut_short_is_made_again(tmp_path: Path) -> None:
    machine = Machine(tmp_path, NEEDED["test"])
    result = machine.run("test", NO_NETWORK="1")
    assert_last_line(result, "pip could not install the Python packages; is there a network?")
    leftover = tmp_path / "repository/.venv/leftover"
    leftover.touch()
    assert machine.run("test").returncode == 0
    assert not leftover.exists()


def assert_last_line(result: subprocess.CompletedProcess, words: str) -> None:
    assert result.returncode == 3
    assert words in result.stderr.strip().split("\n")[-1]


def test_two_runs_at_once_fill_one_venv(tmp_path: Path) -> None:
    machine = Machine(tmp_path, NEEDED["test"])
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: machine.run("test"), range(4)))
    assert [result.returncode for result in results] == [0] * 4
    assert len(machine.log("pip.log")) == 1

"""Documentation matches the code: commands, options, names and links exist; figures are those of the benchmarks."""

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch

from loftr_ros.cli import COMMANDS, _parse
from loftr_ros.demo.room import loop_poses
from loftr_ros.odometry.config import SPECS
from loftr_ros.ros.parameters.table import PARAMETERS

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *(ROOT / "loftr_ros/loftr/weights").glob("*.md")]
ON_ANY_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
# Options of other programs that stand alone in backticks.
OTHERS_OPTIONS = {"--clock", "--align_origin", "--all_pairs", "--break-system-packages", "--system-site-packages"}
OTHERS_OPTIONS |= {"--extra-index-url", "--log-level", "--ros-args", "--show-args", "--symlink-install"}
PARAMETER_NAMES = {spec.name for spec in PARAMETERS}
ODOMETRY_OPTIONS = {f"--{spec.name.replace('_', '-')}" for spec in SPECS}
# Settings of other programs.
OTHERS_SETTINGS = {"bond_timeout", "odom_topic"}

LOST_PERCENT = 10  # from here on the README gives the share of lost frames

Table = list[dict[str, str]]


def source(*patterns: str) -> str:
    """All code in some files, to look up names in."""
    return "".join(path.read_text() for pattern in patterns for path in sorted(ROOT.glob(pattern)))


def command_lines(page: Path) -> Iterator[list[str]]:
    """Every command in the blocks of code of a page, in words, without comments."""
    for block in re.findall(r"^```\w*\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line.removeprefix("$ "), comments=True) if line.count('"') % 2 == 0 else []
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                words.pop(0)
            if words:
                yield words


def inline_code(page: Path) -> list[str]:
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", text)]


@ON_ANY_PAGE
def test_commands(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    bench = source("bench/*.py")
    for words in command_lines(page):
        program, *arguments = words
        if program == "torchrun":
            program, arguments = "loftr-ros", arguments[arguments.index("loftr_ros.cli") + 1 :]
        if program == "loftr-ros":
            parses = True
            try:
                _parse(arguments)
            except SystemExit as error:
                parses = error.code == 0  # --help
            assert parses, f"{page.name}: {' '.join(words)}: {capsys.readouterr().err}"
        elif program == "make":
            assert {word for word in arguments if "=" not in word} <= set(targets), words
        elif program.startswith("python") and arguments[0].endswith(".py"):
            assert (ROOT / arguments[0]).is_file(), words
            assert all(f'"{option}"' in bench for option in arguments if option.startswith("--")), words


@ON_ANY_PAGE
def test_commands_and_options_within_the_text(page: Path) -> None:
    options = source(
        "loftr_ros/commands/*.py", "loftr_ros/training/collection/*.py", "bench/*.py", "tools/*.py", "test/conftest.py"
    )
    for code in inline_code(page):
        if code.startswith("loftr-ros "):
            assert code.split()[1] in {*COMMANDS, "--help", "--version"}, code
        if code.startswith(("loftr-ros ", "--")):
            for option in re.findall(r"--[a-z][a-z_-]+", code):
                known = {"--help", "--version", *OTHERS_OPTIONS, *ODOMETRY_OPTIONS}
                assert option in known or f'"{option}"' in options, f"{page.name}: {code}"


@ON_ANY_PAGE
def test_launch_arguments_and_parameters(page: Path) -> None:
    launch = source("launch/*.py", "loftr_ros/ros/parameters/launch_arguments.py")
    for name in re.findall(r"(?<![\w/])(\w+):=", page.read_text()):
        assert name in PARAMETER_NAMES or f'"{name}"' in launch, f"{page.name}: {name}:="
    for code in inline_code(page):
        setting = re.match(r"([a-z]+(?:_[a-z]+)+): \S", code)
        assert setting is None or setting[1] in PARAMETER_NAMES | OTHERS_SETTINGS, f"{page.name}: {code}"
    for words in command_lines(page):
        if words[:3] == ["ros2", "param", "set"]:
            assert words[4] in PARAMETER_NAMES, words


@ON_ANY_PAGE
def test_links_and_files(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name}: {target}"
    for code in inline_code(page):
        if re.fullmatch(r"[\w/.]+/[\w.]+\.(?:py|yaml|rviz|json|md)", code):
            assert any((folder / code).exists() for folder in (ROOT, ROOT / "loftr_ros")), f"{page.name}: {code}"


def test_topics_and_services() -> None:
    code = source("loftr_ros/ros/**/*.py")
    page = (ROOT / "docs" / "ros.md").read_text()
    sections = "".join(page.partition(f"## {name}\n")[2].partition("\n## ")[0] for name in ("Topics", "Services"))
    first_cells = " ".join(re.findall(r"^\| (`[^|]*)\|", sections, re.MULTILINE))
    topics = [name for name in re.findall(r"`([^`]+)`", first_cells) if name.islower() and not name.startswith("/tf")]
    assert {"odometry", "left/image", "/loftr/reset", "/diagnostics"} <= set(topics)
    for name in topics:
        last = name.split("/")[-1]
        assert re.search(rf'["/}}]{last}"', code), name


def tables(page: Path) -> dict[str, Table]:
    """The tables of a page by the heading above each; rows by the heads of the columns."""
    found: dict[str, Table] = {}
    heading, header = "", None
    for line in page.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else None
        if line.startswith("#"):
            heading = line.lstrip("# ")
        elif cells is None:
            header = None
        elif header is None:
            header, found[heading] = cells, []
        elif not re.fullmatch(r"[-: ]+", cells[0]):
            # Of columns with one name the first counts.
            found[heading].append(dict(reversed([*zip(header, cells, strict=True)])))
    return found


@pytest.fixture(scope="module")
def benchmarks() -> dict[str, Table]:
    return tables(ROOT / "docs" / "benchmarks.md")


def row(benchmarks: dict[str, Table], heading: str, **wanted: str) -> dict[str, str]:
    """The one row of the tables whose heading begins so, and that holds these cells."""
    (found,) = (
        row
        for name, table in benchmarks.items()
        if name.startswith(heading)
        for row in table
        if all(row.get(column) == value for column, value in wanted.items())
    )
    return found


# Rows of the README, and the table and stride of docs/benchmarks.md that they repeat; None is in no table, and tested
# by test/commands/test_run_recorded.py.
README_ROWS = (
    ("KITTI 06, stereo", "1"),
    ("KITTI 06, stereo", "3"),
    ("KITTI 06, mono", "1"),
    None,
    ("tartanair_corridor, mono", "1"),
    ("tartanair_corridor, rgbd", "1"),
    ("tartanair_corridor, rgbd", "3"),
    ("EuRoC V1_01_static, stereo", "1"),
)
DIVERGED_M = 1e6


def test_accuracy_in_the_readme_is_that_of_the_benchmarks(benchmarks: dict[str, Table]) -> None:
    shown = tables(ROOT / "README.md")["How good it is"]
    assert len(shown) == len(README_ROWS)
    for said, place in zip(shown, README_ROWS, strict=True):
        if place is None:
            continue
        heading, stride = place
        assert said["mode"].replace("-", "").lower() == heading.split(", ")[1], said
        ours, sift, plain = (
            row(benchmarks, heading, stride=stride, method=method)
            for method in ("LoFTR compact", "SIFT 4000", "SIFT 4000, OpenCV pipeline")
        )
        percent = "" if ours["ATE %"] == "-" else f", {ours['ATE %']} %"
        assert said["ATE"].removesuffix(" after scaling") == f"{ours['ATE m']} m{percent}", said
        assert said["rotation per frame (mean)"] == f"{ours['rotation°']}°", said
        lost = f", lost in {sift['lost %']} %" if int(sift["lost %"]) > LOST_PERCENT else ""
        assert said["SIFT in the same engine"] == f"{sift['ATE m']} m{lost}", said
        said_of_plain = "diverges in one frame" if float(plain["ATE m"]) > DIVERGED_M else f"{plain['ATE m']} m"
        assert said["SIFT + RANSAC + recoverPose or PnP"] == said_of_plain, said


def test_example_of_the_evaluation_is_the_run_of_the_readme(benchmarks: dict[str, Table]) -> None:
    example = tool("write_evaluation_docs").example()
    ours = row(benchmarks, "KITTI 06, stereo", stride="1", method="LoFTR compact")
    rmse, percent, rotation = re.search(
        r"ATE +rmse ([\d.]+).*\n +([\d.]+) % of the path.*\n.*\n.*mean ([\d.]+),", example
    ).groups()
    assert (f"{float(rmse):.3f}", percent) == (ours["ATE m"], ours["ATE %"])
    assert f"{float(rotation):.3f}" == ours["rotation°"]


def test_page_of_the_commands_is_that_of_their_options() -> None:
    assert (ROOT / "docs" / "cli.md").read_text() == tool("write_cli_docs").cli_markdown()


def tool(name: str) -> ModuleType:
    path = ROOT / "tools" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_speed_in_the_text_is_that_of_the_benchmarks(benchmarks: dict[str, Table]) -> None:
    vga, hd = ({row["method"]: row for row in benchmarks[f"{size}, cpu"]} for size in ("640 x 480", "1280 x 720"))
    compact, large = vga["LoFTR compact"], hd["LoFTR compact"]
    published, fast = vga["LoFTR published, float32"], vga["LoFTR published"]
    engine = [
        float(row["frame"].split(" / ")[0])
        for heading, table in benchmarks.items()
        if heading.startswith("1000 matches per frame")
        for row in table
        if row["refinement"] == "on"
    ]
    memory = [row["MiB"] for row in benchmarks["Memory, compact, 640 x 480"]]
    start = row(benchmarks, "1280 x 720 mono8", quantity="process start to first odometry")["measured"]

    said = {name: " ".join((ROOT / name).read_text().split()) for name in ("README.md", "docs/performance.md")}
    times = f"{rounded(compact['ms'])} ms, {rounded(compact['x kornia'])} times as fast as kornia's LoFTR"
    assert f"640 x 480 takes {times} in the same run" in said["README.md"]
    assert f"rest of the odometry {rounded(min(engine))} to {rounded(max(engine))} ms for 1000" in said["README.md"]
    for sentence in (
        f"says {rounded(compact['ms'])} ms for a video frame of 640 x 480: {rounded(compact['x kornia'])} times as",
        f"kornia's LoFTR in the same run ({float(vga['kornia LoFTR']['ms']) / 1e3:.1f} s)",
        f"is {published['x kornia']} times as fast as kornia's",
        f"and {fast['x kornia']} times in bfloat16 ({fast['same %']} % the same), "
        f"with {published['% of kornia']} and {fast['% of kornia']} % of the memory",
        f"1280 x 720 the compact one takes {rounded(large['ms'])} ms, {rounded(large['x kornia'])} times as fast",
        f"{hd['LoFTR published, float32']['x kornia']} and {hd['LoFTR published']['x kornia']} times as fast, with "
        f"{hd['LoFTR published, float32']['% of kornia']} and {hd['LoFTR published']['% of kornia']} % of the memory",
        f"{rounded(memory[0])} MiB after 200 frames, {rounded(memory[2])} MiB after 1000",
        f"to its first odometry it takes {float(start.split()[0]):.1f} s",
    ):
        assert sentence in said["docs/performance.md"], sentence


def rounded(figure: str | float) -> int:
    return round(float(figure))


def test_figures_of_the_model_card_are_those_of_the_benchmarks(benchmarks: dict[str, Table]) -> None:
    card = (ROOT / "loftr_ros/loftr/weights/compact.md").read_text()
    for heading, stride in (place for place in (README_ROWS[0], README_ROWS[2], README_ROWS[4], README_ROWS[6])):
        ours = row(benchmarks, heading, stride=stride, method="LoFTR compact")
        assert f"ATE {ours['ATE m']} m ({ours['ATE %']} %)" in card, heading
    refined, sift = (
        row(benchmarks, "tartanair_corridor, stride 1", method=method)
        for method in ("LoFTR compact, refined", "SIFT 4000")
    )
    ours, others = (" / ".join(of[f"AUC@{degrees}°"] for degrees in (5, 10, 20)) for of in (refined, sift))
    assert f"{ours} (SIFT {others})" in card


def test_table_of_the_demo() -> None:
    shown = {row["name"]: row["value"] for row in demo_table()}
    path_m = torch.linalg.norm(torch.diff(loop_poses(120)[:, :3, 3], dim=0), dim=1).sum().item()
    assert shown["frames played, odometry received"] == "120, 120"
    assert shown["path"] == f"{path_m:.2f} m, closed"
    code = source("loftr_ros/commands/demo.py")
    for label in shown:
        assert all(f'"{part}"' in code for part in label.split(", ")), label


def demo_table() -> list[dict[str, str]]:
    """The table of the README that has no heads."""
    text = (ROOT / "README.md").read_text().partition("ends with a table like this one")[2]
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", text.partition("\n!")[0], re.MULTILINE)
    return [{"name": name, "value": value} for name, value in rows]


def test_map_of_the_architecture_names_every_folder() -> None:
    """One line for each package and each folder of the repository, by its path from the folder above."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    package_map = page.partition("```\n")[2].partition("```")[0]
    packages = [path.parent.relative_to(ROOT / "loftr_ros") for path in (ROOT / "loftr_ros").rglob("__init__.py")]
    named: set[Path] = set()
    above: list[tuple[int, Path]] = []
    for indent, name in re.findall(r"^( *)(\w+)/(?: |$)", package_map, re.MULTILINE):
        above = [(depth, folder) for depth, folder in above if depth < len(indent)]
        above.append((len(indent), (above[-1][1] if above else Path()) / name))
        named.add(above[-1][1])
    assert {Path("loftr_ros") / package for package in packages} <= named
    assert {Path(name) for name in ("bench", "config", "docs", "examples", "launch", "test", "tools")} <= named
    assert all((ROOT / folder).is_dir() for folder in named)


def test_the_way_of_a_frame() -> None:
    """Every call of the drawing is a function of the module beside it, and the module of its caller uses it."""
    text = (ROOT / "docs/architecture.md").read_text()
    block = re.search(r"^## The way of a frame.*?^```\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert block
    callers: list[str] = []
    for line in block[1].splitlines():
        drawn = re.match(r"([│├└─ ]*)([\w.]+) +([\w/]+\.py)", line)
        assert drawn, line
        depth, name = len(drawn[1]) // 3, drawn[2].rpartition(".")[2]
        code = (ROOT / "loftr_ros/odometry" / drawn[3]).read_text()
        assert re.search(rf"^ *def {name}\(", code, re.MULTILINE), line
        assert depth == 0 or re.search(rf"\b{name}\b", callers[depth - 1]), f"not called there: {line}"
        callers[depth:] = [code]

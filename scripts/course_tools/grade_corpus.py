"""scripts/corpus: grades every kernel of tests/corpus, on all cores."""

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from course_tools import corpus, course, device, judge, paths
from course_tools.cli import Parser, positive
from course_tools.errors import UsageError

CHECKS_PER_PROCESS = 8

EPILOG = """\
A file of tests/corpus is taken if its path holds one of the words; without words, all are. Odd but
correct kernels are graded with each of the seeds, planted bugs with one; scripts/test takes one seed on
the CPU device. A GPU does not see everything: the summary says how many files get the verdict that they
get on the CPU device, and why the others do not. There, correct kernels are not asked large_index.

exit status: 0 every verdict is the expected one, 1 one is not, 2 wrong command line, 3 internal error
"""


def main(arguments: Sequence[str]) -> int:
    options = _parse(arguments)
    lessons = {lesson.name: lesson.graded_on(options.device) for lesson in course.load()}
    entries = [
        corpus.read(path).graded_on(options.device)
        for path in corpus.files()
        if not options.words or any(word in str(path) for word in options.words)
    ]
    if not entries:
        raise UsageError(f"no file of tests/corpus has {' or '.join(options.words)} in its path")
    bin_dir = options.bin or _build(options.device)
    shard, shards = options.shard
    # Planted bugs first, and those of the last lessons first: they take longest.
    entries.sort(key=lambda entry: (bool(entry.fails), entry.lesson), reverse=True)
    entries = entries[shard - 1 :: shards]
    graded = bad = 0
    only_on_cpu: dict[Path, str] = {}
    for number in range(options.first, options.first + options.seeds):
        seed = number * 0x9E3779B97F4A7C15 % 2**64
        now = [entry for entry in entries if number == options.first or not entry.fails]
        if not now:
            break
        tasks = [_task(entry, lessons[entry.lesson], options) for entry in now]
        show = _progress(len(tasks)) if options.verbose else judge.no_line
        results = judge.grade(tasks, bin_dir, options.device, seed, options.jobs, on_line=show)
        for entry, result in zip(now, results, strict=True):
            graded += 1
            if problems := corpus.problems(entry, result):
                bad += 1
                print(f"{paths.shown(entry.path)} seed {seed:#x}:", *problems, sep="\n  ")
            elif options.device == device.CUDA and (why := corpus.only_on_cpu(entry, result)):
                only_on_cpu[entry.path] = why
        print(f"seed {seed:#x}: {len(now)} files, {bad} of {graded} not as expected so far")
    if options.device == device.CUDA:
        _print_agreement(len(entries), bad, only_on_cpu)
    return 1 if bad else 0


def _build(device_name: str) -> Path:
    """Brings the judges up to date; returns their folder."""
    if device_name == device.CUDA:
        device.require_cuda_compiler()
    from course_tools import build, display

    return build.build_judges(display.make_console(), device_name, course.load())


def _task(entry: corpus.Entry, lesson: course.Lesson, options: argparse.Namespace) -> judge.Task:
    """What a file is asked. A GPU starts about four processes a second, however many cores there are: there, a process
    serves several checks, and correct kernels do without the tensors of many GiB that planted bugs need."""
    if options.device == device.CPU:
        return judge.Task(lesson, entry.path, entry.checks)
    checks = entry.checks or tuple(name for name in lesson.points if name != "large_index")
    return judge.Task(lesson, entry.path, checks, CHECKS_PER_PROCESS)


def _print_agreement(files: int, bad: int, only_on_cpu: dict[Path, str]) -> None:
    same = files - bad - len(only_on_cpu)
    print(
        f"{files} files: {same} get the same verdict on both devices,"
        f" {len(only_on_cpu)} only the CPU device can judge, {bad} are not as expected"
    )
    for why, count in Counter(only_on_cpu.values()).most_common():
        print(f"  {count:>4}  {why}")


def _progress(total: int) -> judge.OnLine:
    """Shows every verdict as it comes, for whoever watches a long run."""
    seen: set[Path] = set()

    def show(task: judge.Task, line: str) -> None:
        if task.source not in seen:
            seen.add(task.source)
            print(f"[{len(seen)}/{total}] {paths.shown(task.source)}")
        elif judge.finished_check(task.lesson, line):
            print(f"  {task.lesson.name}/{task.source.stem}: {line}")

    return show


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = Parser("corpus", "Grades every kernel of tests/corpus, on all cores.", EPILOG)
    parser.add_argument("words", nargs="*", metavar="WORD", help="a part of a path")
    parser.add_argument(
        "--device", choices=(device.CPU, device.CUDA), default=device.CPU, help="default: cpu"
    )
    parser.add_argument("--seeds", type=positive, help="for each correct kernel (20; on a GPU 1)")
    parser.add_argument("--first", type=positive, default=1, help="number of the first seed")
    parser.add_argument("--jobs", type=positive, default=2, help="judges that run at a time")
    parser.add_argument(
        "--shard", type=_shard, default=(1, 1), metavar="K/N", help="the Kth of N equal parts"
    )
    parser.add_argument("--bin", type=Path, help="a folder with judges; nothing is built")
    parser.add_argument("--verbose", action="store_true", help="show what the judges print")
    options = parser.parse_args(arguments)
    options.seeds = options.seeds or (20 if options.device == device.CPU else 1)
    return options


def _shard(text: str) -> tuple[int, int]:
    part, _, parts = text.partition("/")
    if not (part.isdigit() and parts.isdigit() and 1 <= int(part) <= int(parts)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a part such as 1/2")
    return int(part), int(parts)

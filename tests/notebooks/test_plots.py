"""What the figures show is what the device counted."""

import shutil
from pathlib import Path

import flash_lessons
import numpy
import pytest
from matplotlib.axes import Axes
from plots import catalogue, common, ladder, memory, numerics, online_softmax, reference, traffic

SHAPES = [(1, 1), (2, 3)]  # batch, heads


def plotted(axes: Axes, label: str) -> list[tuple[float, float]]:
    """The points of the line with this label."""
    (line,) = (line for line in axes.lines if line.get_label() == label)
    return [(float(x), float(y)) for x, y in line.get_xydata()]


@pytest.mark.parametrize(("batch", "heads"), SHAPES)
def test_memory_of_01_and_03_is_plotted_to_the_byte(batch: int, heads: int) -> None:
    measured = memory.measure(common.solutions("01", "03"), batch=batch, heads=heads)
    (axes,) = memory.growth(measured, batch=batch, heads=heads).axes
    naive, online = plotted(axes, "01"), plotted(axes, "03")
    matrices = batch * heads
    fit = [n for n in memory.LENGTHS if 4 * matrices * (n**2 + 4 * n * 64) <= memory.CARD]
    assert naive == [(n, 4 * matrices * n**2) for n in fit]
    assert online == [(n, 4 * matrices * n) for n in memory.LENGTHS]
    assert len(fit) < len(memory.LENGTHS)


def test_what_is_refused_is_marked_at_its_size() -> None:
    measured = memory.measure(common.solutions("01"), [32768, 65536, 131072])
    assert [point.refused for point in measured["01"]] == [False, True, True]
    marks = [
        tuple(line.get_xydata()[0])
        for line in memory.growth(measured).axes[0].lines
        if line.get_marker() == "X"
    ]
    assert marks == [(n, 4.0 * n * n) for n in (65536, 131072)]


def test_what_a_gpu_refused_lies_inside_the_figure() -> None:
    figure = ladder.memory(common.record("ladder_cuda")["memory"])
    marks = [
        (axes, line) for axes in figure.axes for line in axes.lines if line.get_marker() == "X"
    ]
    assert marks
    for axes, line in marks:
        assert axes.get_ylim()[0] < line.get_xydata()[0][1] < axes.get_ylim()[1] / 1.3


def test_no_point_of_the_roofs_is_hidden_or_made_up() -> None:
    """PyTorch's bytes are not counted, so it has no place across; 04 and 05 have almost the same."""
    (axes,) = catalogue.FIGURES["04_roofline"]().axes
    across = {line.get_label()[:2]: tuple(line.get_xdata()) for line in axes.lines}
    assert across["Py"] == (0, 1)  # from side to side
    assert {len(across[lesson]) for lesson in ("01", "02", "03", "04", "05", "07")} == {1}
    sizes = {line.get_label()[:2]: line.get_markersize() for line in axes.lines}
    assert sizes["04"] > 1.5 * sizes["05"]
    assert axes.get_legend() is None  # it stands beside the axes


def test_the_longest_sequence_fits_and_the_next_does_not() -> None:
    for number, head_dim in (("01", 64), ("03", 128)):
        kernels = flash_lessons.lesson(number)
        n = memory.longest(kernels, heads=4, head_dim=head_dim)
        shape = {"heads": 4, "head_dim": head_dim}
        kernels.allocate_only(seq_len_q=n, **shape)
        with pytest.raises(MemoryError):
            kernels.allocate_only(seq_len_q=n + memory.STEP, **shape)


def test_traffic_is_plotted_as_it_is_counted() -> None:
    counted = traffic.by_length(common.solutions("01", "03", "07"), [128, 256], 32)
    (axes,) = traffic.growth(counted).axes
    for label, queries in (("01", 1), ("03", 64), ("07", 128)):
        assert plotted(axes, label) == [(n, 8 * n * n * 32 / queries) for n in (128, 256)]


def test_a_smaller_tile_asks_for_more(tmp_path: Path) -> None:
    few, many = traffic.by_tile(tmp_path, 128, 32, (16, 64))
    assert (few.on_chip, many.on_chip) == (512, 2048)
    assert few.kv_bytes == 4 * many.kv_bytes == 8 * 128 * 128 * 32 // 16


def test_only_kernels_that_are_begun_are_shown(tmp_path: Path, root: Path) -> None:
    shutil.copy(root / "kernels/01_naive.cu", tmp_path)
    shutil.copy(root / "solutions/03_online_softmax.cu", tmp_path)
    for header in (root / "kernels").glob("*.h"):
        shutil.copy(header, tmp_path)
    begun = common.begun("01", "02", "03", folder=tmp_path)
    assert list(begun) == ["yours, 03"]
    assert common.begun("01", folder=tmp_path) == {}
    measured = memory.measure({**common.solutions("03"), **begun}, [1024, 2048])
    (axes,) = memory.growth(measured).axes
    assert plotted(axes, "03") == plotted(axes, "yours, 03") == [(1024, 4096), (2048, 8192)]


def begun_with(folder: Path, root: Path, lesson: str, *change: str) -> tuple[dict, list[str]]:
    """A solution with a change as the learner's kernels, and what is said of them."""
    for header in (root / "kernels").glob("*.h"):
        shutil.copy(header, folder)
    text = (root / "solutions" / f"{lesson}.cu").read_text(encoding="ascii")
    assert change[0] in text
    (folder / f"{lesson}.cu").write_text(text.replace(*change, 1), encoding="ascii")
    said: list[str] = []
    return common.begun(lesson[:2], folder=folder, say=said.append), said


def test_an_unfinished_kernel_is_said_to_be_wrong(tmp_path: Path, root: Path) -> None:
    kernels, said = begun_with(
        tmp_path, root, "03_online_softmax", "o_row[k] = inv_l * o_reg[k];", ";"
    )
    assert list(kernels) == ["yours, 03"]
    assert said == [
        "yours, 03 is wrong: at N = 65, d = 32 a value of O is not finite (scripts/grade 03 tells more)"
    ]


def test_a_wrong_gradient_is_said_to_be_wrong(tmp_path: Path, root: Path) -> None:
    kernels, said = begun_with(
        tmp_path, root, "06_backward", " = softmax_scale * ds_reg", " = 2 * softmax_scale * ds_reg"
    )
    assert list(kernels) == ["yours, 06"]
    assert len(said) == 1 and "yours, 06 is wrong: at N = 65, d = 32 d" in said[0], said


def test_findings_are_said_beside_the_traffic(tmp_path: Path, root: Path) -> None:
    barrier = "    __syncthreads();  // every thread is done with the previous tiles"
    kernels, said = begun_with(tmp_path, root, "03_online_softmax", barrier, "    //")
    del said[:]  # whether a run without the barrier is wrong is up to the run
    counted = traffic.by_length(kernels, [128], 32, say=said.append)
    assert [one.seq_len for one in counted["yours, 03"]] == [128]
    assert len(said) == 1
    assert said[0].startswith("yours, 03 is drawn, but the checked build has ")
    assert "-race at " in said[0] and "03_online_softmax.cu:" in said[0]


def test_the_rule_that_is_right_gives_the_row() -> None:
    for order, differ in (("random", True), ("rising", True), ("falling", False)):
        scores, values = online_softmax.row(order)
        exact = online_softmax.exact(scores, values)
        errors = {
            rule: abs(online_softmax.fold(scores, values, rule).o[-1] - exact)
            for rule in online_softmax.RULES
        }
        assert errors["multiply"] < 1e-5
        for rule in ("none", "divide"):
            assert (errors[rule] > 0.01) == differ, (order, rule)


def test_the_preprints_slip_is_in_o_alone() -> None:
    """Query 1 of lesson 03's text, key by key: l is right, and o is 198.256 there tile by tile."""
    scores, values = [98.0, 97.0, 100.0, 100.0], [10.0, 20.0, 30.0, 40.0]
    right, slip = (online_softmax.fold(scores, values, rule) for rule in ("multiply", "divide"))
    assert slip.l.tolist() == right.l.tolist()
    assert right.o[-1] == pytest.approx(33.11, abs=0.01)
    assert slip.o[-1] == pytest.approx(90.73, abs=0.01)


def test_errors_are_far_below_the_bound_and_bugs_above_it() -> None:
    q, k, v = common.draw(1, 1, 64, 32)
    expected = reference.attention(q, k, v)
    right = flash_lessons.lesson("03").attention(q, k, v)
    assert 0 < (abs(right - expected.o) / expected.o_bound).max() < 0.1
    without_last = flash_lessons.lesson("03").attention(
        q, *(numpy.ascontiguousarray(one[:, :, :-1]) for one in (k, v))
    )
    assert (abs(without_last - expected.o) / expected.o_bound).max() > 100


def test_a_wrong_kernel_lies_inside_the_figure() -> None:
    lost = float("inf")
    found = {
        "03": [(1e-7, 0.01)] * 4,
        "yours, 01": [(1e-7, 0.01)] * 4,
        "yours, 03": [(0.5, 0.01), (0.5, 11_002.0), (0.2, 5_914.0), (0.1, 1_695.0)],
        "yours, 07": [(1e-7, 0.01), (1e-7, 0.01), (lost, lost), (lost, lost)],
    }
    (axes,) = numerics.bound(found).axes
    bottom, top = axes.get_ylim()
    assert bottom < 0.01 and top > 11_002
    for label in ("03", "yours, 01", "yours, 03"):
        assert [y for _, y in plotted(axes, label)] == [share for _, share in found[label]]
    crosses = plotted(axes, "yours, 07: not finite")
    assert [x for x, _ in crosses] == [256, 1024]
    assert all(11_002 < y < top for _, y in crosses)


def test_an_output_that_is_not_finite_is_told() -> None:
    class Unfinished:
        def attention(self, q: numpy.ndarray, *_: object) -> numpy.ndarray:
            return numpy.full(q.shape, numpy.nan, numpy.float32)

    infinite = (float("inf"), float("inf"))
    assert numerics.errors({"yours, 03": Unfinished()}, [16]) == {"yours, 03": [infinite]}


def test_what_breaks_and_what_does_not() -> None:
    found = numerics.breaking([1.0, 64.0])
    assert max(found["with m, multiplied"]) < 1e-5
    assert found["without m"][0] < 1e-5
    assert found["without m"][1] == numpy.inf
    assert min(found["with m, nothing done"]) > 0.1
    assert min(found["with m, o divided"]) > 0.1


def test_gradients_of_the_reference_are_those_of_the_output() -> None:
    q, k, v, do = common.draw(1, 1, 6, 4, count=4)
    gradients = reference.attention(q, k, v, causal=True, do=do).gradients
    arrays = {"dq": q, "dk": k, "dv": v}
    for name, array in arrays.items():
        step = numpy.zeros(array.shape)
        step[0, 0, 2, 1] = 2.0**-10
        loss = [
            (reference.attention(*_moved(arrays, name, sign * step), causal=True).o * do).sum()
            for sign in (1, -1)
        ]
        assert (loss[0] - loss[1]) / 2**-9 == pytest.approx(
            gradients[name][0, 0, 2, 1], rel=1e-4, abs=1e-5
        )


def _moved(arrays: dict, name: str, step: numpy.ndarray) -> list[numpy.ndarray]:
    return [array + step if key == name else array for key, array in arrays.items()]


def test_every_figure_says_its_conditions() -> None:
    """Recorded ones name the GPU, the others the CPU device or NumPy; all have labelled axes."""
    for name in ("01_memory_gpu", "02_running", "03_lessons", "04_roofline", "05_mask", "06_order"):
        figure = catalogue.FIGURES[name]()
        foot = " ".join(text.get_text() for text in figure.texts)
        wanted = (
            "NVIDIA H200" if name in ("01_memory_gpu", "04_roofline") else ("CPU device", "NumPy")
        )
        assert any(word in foot for word in ([wanted] if isinstance(wanted, str) else wanted)), name

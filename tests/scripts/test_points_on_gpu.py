"""What the checks are worth where kernels run on a GPU, which cannot count accesses and may lack memory or tools."""

import pytest
from course_tools import course, device

LESSONS = course.load()
# Checks that are NOT RUN on a GPU: always, or for want of memory or of compute-sanitizer.
CPU_ONLY = {
    "large_index",
    "safety",
    "traffic",
    "one_pass",
    "access_width",
    "skipped_tiles",
    "work_partitioning",
}


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_full_marks_are_within_reach_on_a_gpu(lesson: course.Lesson) -> None:
    points = lesson.graded_on(device.CUDA).points
    assert list(points) == list(lesson.points)
    assert sum(points.values()) == 100
    assert all(points[check] == 0 for check in CPU_ONLY & set(points))


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_points_only_move_to_other_checks(lesson: course.Lesson) -> None:
    assert lesson.graded_on(device.CPU) == lesson
    lost = {check for check, points in lesson.points_on_gpu.items() if points == 0}
    assert lost <= CPU_ONLY
    assert all(
        points > lesson.points[check]
        for check, points in lesson.points_on_gpu.items()
        if check not in lost
    )

#!/usr/bin/env bash
# The project's own tests that only an NVIDIA GPU can run, in stages:
#
#   tests/on_a_gpu.sh [STAGE...]     all stages, in this order, without one
#
#   package    the package flash_lessons, built and installed into a folder of its own: tests/python/test_gpu.py
#   training   scripts/train_tiny with the solutions of lessons 05 and 07 beside PyTorch
#   grades     scripts/grade --solutions --device cuda, and 06_backward_fast.cu as lesson 06
#   tools      every solution under compute-sanitizer's four tools
#   judge      ctest of the preset cuda, without what nvcc alone can tell and without the lessons, which `grades` has
#   corpus     every planted bug must fail, every odd but correct kernel must pass
#
# scripts/bench --device cuda, which records times, is not a test. Needs nvcc, a GPU, and a python3 with PyTorch, rich,
# pytest, scikit-build-core and nanobind; the network is not used. Boost is not needed: the package is then for GPUs only.
# $LOGS (build/on-a-gpu): a log for each stage. $JOBS (all cores): compilers at a time, and judges for the corpus.
# Exit status: 0 all stages passed, 1 one did not, 2 an unknown stage, 3 no GPU or no nvcc.
set -u
cd "$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")" || exit 3
. scripts/lib/setup.sh
stages=(package training grades tools judge corpus)
LOGS=${LOGS:-build/on-a-gpu}
JOBS=${JOBS:-$(nproc)}
site=build/on-a-gpu/site

package() {
  rm -rf build/on-a-gpu/wheel "$site"
  local cpu_device=OFF
  course_has_library boost/context/detail/fcontext.hpp libboost_context && cpu_device=ON
  python3 -m pip --disable-pip-version-check wheel . --no-build-isolation --no-deps --no-index \
    -w build/on-a-gpu/wheel --config-settings cmake.define.FLASH_LESSONS_CPU_DEVICE=$cpu_device &&
    python3 -m pip --disable-pip-version-check install --no-deps --no-index --target "$site" build/on-a-gpu/wheel/*.whl &&
    FLASH_LESSONS_INSTALLED=1 python3 -m pytest tests/python/test_gpu.py -q -rsx --tb=short --durations=10 -p no:cacheprovider
}

training() {
  local forward sizes=(--steps 300 --layers 4 --heads 4 --head-dim 64 --context 256 --batch 16) status=0
  for forward in 05 07; do
    scripts/train_tiny --solutions --forward $forward --device cuda "${sizes[@]}" || status=1
  done
  return $status
}

grades() {
  local fast=build/on-a-gpu/fast status=0
  scripts/grade --solutions --device cuda || status=1
  mkdir -p $fast && cp solutions/06_backward_fast.cu $fast/06_backward.cu &&
    scripts/grade 06 --kernels $fast --device cuda || status=1
  return $status
}

tools() {
  tests/lessons/compute_sanitizer.sh
}

judge() { # four at a time: no more CUDA contexts start in a second
  cmake --preset cuda && cmake --build --preset cuda --parallel "$JOBS" && 
    ctest --preset cuda --parallel 4 --exclude-regex '^nvcc\.|^lesson\.[0-9]' --timeout 300
}

corpus() {
  scripts/corpus --device cuda --jobs "$JOBS" --verbose
}

[ $# -gt 0 ] || set -- "${stages[@]}"
for stage in "$@"; do
  case " ${stages[*]} " in
    *" $stage "*) ;;
    *) echo "on_a_gpu.sh: there is no stage '$stage': the stages are ${stages[*]}" >&2; exit 2 ;;
  esac
done
course_find_nvcc
if ! command -v nvcc >/dev/null || ! course_gpu_answers; then
  echo "on_a_gpu.sh: needs nvcc and a GPU that answers" >&2
  exit 3
fi
export PYTHONPATH=$PWD/$site${PYTHONPATH:+:$PYTHONPATH} FLASH_LESSONS_CACHE=$PWD/build/on-a-gpu/cache
mkdir -p "$LOGS"
failed=0
for stage in "$@"; do
  begun=$SECONDS
  if "$stage" >"$LOGS/$stage.log" 2>&1 </dev/null; then how=passed; else how="FAILED, status $?" failed=1; fi
  echo "$stage: $how, $((SECONDS - begun)) s; the end of $LOGS/$stage.log:"
  tail -n 12 "$LOGS/$stage.log" | sed 's/^/  /'
done
exit $failed

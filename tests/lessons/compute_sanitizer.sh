#!/usr/bin/env bash
# Runs every solution, or the files named, under compute-sanitizer's four tools on this machine's GPU.
# A tool first has to find a planted mistake; one that does not proves nothing.
# Exit status: 0 all clean, 1 a tool found something, 3 nvcc or compute-sanitizer is missing.
set -u
root=$(dirname "$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")")
for program in nvcc compute-sanitizer; do
  command -v "$program" >/dev/null || { echo "compute_sanitizer.sh: $program is missing" >&2; exit 3; }
done
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
status=0

declare -A options=(
  [memcheck]='--leak-check full'
  [racecheck]=''
  [initcheck]=''
  [synccheck]=''
)
declare -A planted=(
  [memcheck]=global_off_by_one
  [racecheck]=shared_race_missing_first_barrier
  [initcheck]=uninitialised_global_never_written
  [synccheck]=divergent_barrier_uneven_loop
)

watch() { # tool, program: prints its summary; status 0 if it found nothing
  # shellcheck disable=SC2086  # the options are words
  timeout 120 compute-sanitizer --tool "$1" ${options[$1]} --error-exitcode 9 "$2" >"$scratch/log" 2>&1
}

for tool in memcheck racecheck initcheck synccheck; do
  mistake=$root/tests/cpu_device/checks/faulty/${planted[$tool]}.cu
  nvcc -std=c++17 -O2 -lineinfo -arch=native -o "$scratch/planted" "$mistake" || exit 3
  if watch $tool "$scratch/planted"; then
    echo "$tool does not find $(basename "$mistake")"
    status=1
  fi
done
[ $# -gt 0 ] || set -- "$root"/solutions/*.cu
for source in "$@"; do
  if ! nvcc -std=c++17 -O2 -lineinfo -arch=native -I "$root/kernels" -o "$scratch/solution" \
    "$root/tests/lessons/run_solution.cu" "$source"; then
    status=1
    continue
  fi
  for tool in memcheck racecheck initcheck synccheck; do
    if watch $tool "$scratch/solution"; then
      echo "$(basename "$source"): $tool: clean"
    else
      echo "$(basename "$source"): $tool: found something"
      tail -n 30 "$scratch/log"
      status=1
    fi
  done
done
exit $status

# Set-up shared by the launchers in scripts/: finds what a tool needs, installs it where it may.
#
#   course_setup TOOL ARGS...    TOOL is grade, test, bench, corpus, plot or course; ARGS are the command's
#                                own arguments
#
# sets course_root (the repository) and course_python (an interpreter with what the tool imports), or
# prints one line that says what is missing and how to install it, and exits 3. Nothing is installed
# where nothing is missing. As root on Debian or Ubuntu, packages come from apt-get; Python packages
# come from pip into .venv. Two runs at once are safe: whatever changes the machine holds a lock.
#
# For tests of this file, and for unusual machines:
#   PATH                  every tool is looked up on it (id, apt-get, g++, cmake, ninja, python3, ...)
#   COURSE_OS_RELEASE     read instead of /etc/os-release
#   COURSE_INSTALL=never  install nothing: print the command, as for a user who is not root

course_root=$(dirname "$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")")
course_cache=$course_root/.cache
course_venv=$course_root/.venv
course_python=
course_python_version='import sys; assert sys.version_info >= (3, 11)'
course_python_headers='import sysconfig; open(sysconfig.get_path("include") + "/Python.h")'

course_fail() {
  printf '%s: %s\n' "$course_command" "$1" >&2
  exit 3
}

course_say() {
  printf '%s: %s\n' "$course_command" "$1" >&2
}

course_setup() {
  course_command=scripts/$1
  course_tool=$1
  shift
  # JupyterLab needs more than the other commands of scripts/course.
  [ "$course_tool ${1:-}" != 'course notebook' ] || course_tool=notebook
  course_read_arguments "$@"
  course_choose_python
  course_probe
  if [ ${#course_packages[@]} -gt 0 ] || [ -z "$course_python" ]; then
    mkdir -p "$course_cache" 2>/dev/null || course_fail "cannot write to $course_cache"
    exec 9>"$course_cache/setup.lock"
    flock 9
    course_probe
    course_install_packages
    [ -n "$course_python" ] || course_make_venv
    exec 9>&-
  fi
  export COURSE_DEFAULT_DEVICE=$course_default
}

# Sets course_help (only the help text was asked for), course_default (cuda where a GPU answers and
# nvcc is here, unless the arguments name a device) and course_device (what must be installed for).
course_read_arguments() {
  course_device=
  course_help=no
  local previous= argument
  for argument in "$@"; do
    case $argument in
      -h | --help) course_help=yes ;;
      --device=*) course_device=${argument#--device=} ;;
      *) [ "$previous" != --device ] || course_device=$argument ;;
    esac
    previous=$argument
  done
  course_find_nvcc
  course_default=cpu
  if [ $course_help$course_device = no ] && command -v nvcc >/dev/null && course_gpu_answers; then
    course_default=cuda
  fi
  if [ "$course_tool" = grade ] || [ "$course_tool" = course ]; then
    course_device=${course_device:-$course_default}
  else
    case $course_tool:$course_device in
      bench:cuda | corpus:cuda) ;;
      *) course_device=cpu ;;
    esac
  fi
}

# Sets course_requirements, the file with what this tool imports, and course_own_venv: whether that is
# more than rich, which the distribution may have. Tools with their own .venv build the Python package.
course_choose_python() {
  course_own_venv=yes
  case $course_tool in
    test) course_requirements=requirements-test ;;
    plot) course_requirements=requirements-figures ;;
    notebook) course_requirements=requirements-jupyter ;;
    *)
      course_requirements=requirements
      course_own_venv=no
      ;;
  esac
}

# Puts the CUDA toolkit at its usual place on PATH, if nvcc is there alone.
course_find_nvcc() {
  local cuda=${CUDA_HOME:-/usr/local/cuda}/bin
  if ! command -v nvcc >/dev/null && [ -x "$cuda/nvcc" ]; then
    export PATH=$PATH:$cuda
  fi
}

course_gpu_answers() {
  command -v nvidia-smi >/dev/null && timeout 20 nvidia-smi -L 2>/dev/null </dev/null | grep -q '^GPU '
}

# Fills course_missing (words for a person) and course_packages (for apt-get); course_optional is
# how many of the packages the tool can do without. Sets course_python where one is ready.
course_probe() {
  course_missing=()
  course_packages=()
  course_optional=0
  if [ $course_help = no ]; then
    course_probe_toolchain
  fi
  course_probe_python
}

course_miss() { # what, package
  course_missing+=("$1")
  course_packages+=("$2")
}

course_probe_toolchain() {
  local version
  if version=$(g++ -dumpfullversion 2>/dev/null); then
    course_at_least "$version" 12 || course_fail "g++ $version is too old: 12 or newer is needed (Debian 12 and Ubuntu 24.04 have it)"
  else
    course_miss 'g++ (12 or newer)' g++
  fi
  if version=$(cmake --version 2>/dev/null); then
    version=${version#cmake version }
    version=${version%%[!0-9.]*}
    course_at_least "$version" 3.22 || course_fail "cmake $version is too old: 3.22 or newer is needed"
  else
    course_miss 'CMake (3.22 or newer)' cmake
  fi
  ninja --version >/dev/null 2>&1 || course_miss Ninja ninja-build
  if [ "$course_device" != cuda ]; then
    course_has_library boost/context/detail/fcontext.hpp libboost_context ||
      course_miss Boost.Context libboost-context-dev
  fi
  case $course_tool in plot | notebook) return ;; esac
  if [ "$course_tool" = test ] || { [ "$course_tool" = bench ] && [ "$course_device" != cuda ]; }; then
    course_has_library benchmark/benchmark.h libbenchmark ||
      course_miss 'Google Benchmark' libbenchmark-dev
  fi
  # CMake fetches GoogleTest where there is no package, so a machine without it can go on.
  if ! course_has_library gtest/gtest.h libgtest; then
    course_miss GoogleTest libgtest-dev
    course_optional=1
  fi
}

course_at_least() { # version, minimum (both MAJOR or MAJOR.MINOR...)
  local -a have want
  IFS=. read -r -a have <<<"$1"
  IFS=. read -r -a want <<<"$2"
  local major=${have[0]:-0} minor=${have[1]:-0}
  [ "$major" -gt "${want[0]}" ] || { [ "$major" -eq "${want[0]}" ] && [ "$minor" -ge "${want[1]:-0}" ]; }
}

course_has_library() { # header, library name without its ending
  local found ending
  printf '#if !__has_include(<%s>)\n#error\n#endif\n' "$1" | g++ -E -x c++ - >/dev/null 2>&1 || return 1
  for ending in so a; do
    found=$(g++ "-print-file-name=$2.$ending")
    case $found in */*) return 0 ;; esac
  done
  return 1
}

course_probe_python() {
  course_python=
  if ! command -v python3 >/dev/null; then
    if [ $course_own_venv = yes ] && [ $course_help = no ]; then
      course_miss 'Python (3.11 or newer) with venv and headers' 'python3 python3-venv python3-dev'
    elif [ $course_help = yes ]; then
      course_miss 'Python (3.11 or newer)' python3
    else
      course_miss 'Python (3.11 or newer) with rich' 'python3 python3-rich'
    fi
    return
  fi
  if [ $course_help = yes ]; then
    python3 -c "$course_python_version" 2>/dev/null && course_python=python3
  elif [ $course_own_venv = no ]; then
    python3 -c "$course_python_version; import rich" >/dev/null 2>&1 && course_python=python3
  fi
  [ -n "$course_python" ] || ! course_venv_ready || course_python=$course_venv/bin/python
  [ -z "$course_python" ] || return 0
  python3 -c "$course_python_version" 2>/dev/null ||
    course_fail "$(python3 --version 2>&1) is too old: Python 3.11 or newer is needed"
  if [ $course_help = yes ]; then
    return 0
  fi
  # The distribution's own interpreter gets rich as a package; any other one gets a .venv.
  if [ $course_own_venv = no ] && course_may_install && course_python_is_packaged; then
    course_miss 'rich (a Python package)' python3-rich
  elif ! python3 -c 'import venv, ensurepip' >/dev/null 2>&1; then
    if [ $course_own_venv = yes ]; then
      course_miss "Python's venv" python3-venv
    else
      course_miss 'rich (a Python package)' python3-rich
    fi
  fi
  if [ $course_own_venv = yes ] && ! python3 -c "$course_python_headers" >/dev/null 2>&1; then
    course_miss "Python's headers" python3-dev
  fi
}

course_python_is_packaged() {
  case $(readlink -f "$(command -v python3)") in /usr/bin/*) return 0 ;; *) return 1 ;; esac
}

course_is_debian() {
  command -v apt-get >/dev/null &&
    grep -qE '^ID(_LIKE)?=.*(debian|ubuntu)' "${COURSE_OS_RELEASE:-/etc/os-release}" 2>/dev/null
}

course_may_install() {
  [ "${COURSE_INSTALL:-}" != never ] && [ "$(id -u)" = 0 ] && course_is_debian
}

# Installs course_packages, then looks again; ends the run if something needed is still missing.
course_install_packages() {
  [ ${#course_packages[@]} -gt 0 ] || return 0
  local command="apt-get install -y ${course_packages[*]}"
  [ "$(id -u)" = 0 ] || command="sudo $command"
  if ! course_may_install; then
    [ ${#course_packages[@]} -gt $course_optional ] || return 0
    local where=
    course_is_debian || where='on Debian or Ubuntu, '
    course_fail "missing $(course_list "${course_missing[@]}"); ${where}install with: $command"
  fi
  local log=$course_cache/apt.log optional_failed=$course_cache/apt-failed-before
  if [ ${#course_packages[@]} -le $course_optional ] && [ -e "$optional_failed" ]; then
    return 0
  fi
  course_say "installing ${course_packages[*]} (apt-get)"
  # shellcheck disable=SC2086  # one entry may name two packages
  if ! course_apt update >"$log" 2>&1 ||
    ! course_apt install -y --no-install-recommends ${course_packages[*]} >>"$log" 2>&1; then
    if [ ${#course_packages[@]} -le $course_optional ]; then
      : >"$optional_failed"
      return 0
    fi
    tail -n 15 "$log" >&2
    course_fail "apt-get could not install what is missing (log: $log); by hand: apt-get update && $command"
  fi
  course_probe
  if [ ${#course_packages[@]} -gt $course_optional ]; then
    course_fail "still missing after apt-get: $(course_list "${course_missing[@]}") (log: $log)"
  fi
}

course_apt() {
  DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=600 \
    -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20 -o Acquire::Retries=2 "$@" </dev/null
}

course_list() { # joins its arguments with commas
  local text
  text=$(printf ', %s' "$@")
  printf '%s' "${text:2}"
}

# What .venv must hold: changes with the requirement files and with the place.
course_venv_stamp() {
  { echo "$course_venv"; cat "$course_root"/scripts/requirements*.txt; } | sha256sum
}

course_venv_ready() {
  local stamp=$course_venv/$course_requirements.stamp
  [ -x "$course_venv/bin/python" ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(course_venv_stamp)" ]
}

course_make_venv() {
  local log=$course_cache/pip.log hint=
  [ $course_own_venv = yes ] || hint='; or: apt-get install -y python3-rich'
  course_say "installing Python packages into .venv (pip)"
  if [ -e "$course_venv.incomplete" ] || [ ! -x "$course_venv/bin/python" ]; then
    rm -rf "$course_venv"
  fi
  : >"$course_venv.incomplete" || course_fail "cannot write to $course_root"
  if ! python3 -m venv "$course_venv" >"$log" 2>&1 ||
    ! "$course_venv/bin/python" -m pip install --quiet --disable-pip-version-check \
      -r "$course_root/scripts/$course_requirements.txt" >>"$log" 2>&1 </dev/null; then
    course_fail "pip could not install the Python packages; is there a network? (log: $log)$hint"
  fi
  local file
  for file in $(course_included $course_requirements); do
    course_venv_stamp >"$course_venv/$file.stamp"
  done
  rm -f "$course_venv.incomplete"
  course_python=$course_venv/bin/python
}

course_included() { # requirements; prints its name, and those of the files that it includes
  local line
  echo "$1"
  while read -r line; do
    case $line in
      '-r '*)
        line=${line#-r }
        course_included "${line%.txt}"
        ;;
    esac
  done <"$course_root/scripts/$1.txt"
}

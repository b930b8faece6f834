# add_lesson(NN_name [NO_SPILLS_ON architecture...]): everything that the build knows of one lesson.
#
#   <build>/bin/NN_name_test              the judge of the lesson, from tests/lessons/NN_name_test.cpp
#   lesson.NN_name.solution               solutions/NN_name.cu passes every check          (label solution)
#   lesson.NN_name.stub                   kernels/NN_name.cu is NOT STARTED in every check (label stub)
#   nvcc.compile.{kernels,solutions}.NN_name    compile without warnings, if nvcc is here (label nvcc)
#   nvcc.registers.NN_name                likewise, and on these architectures nothing spills

set(ALL_ARCHITECTURES 75 80 86 89 90 100 120)

function(add_lesson name)
  cmake_parse_arguments(PARSE_ARGV 1 lesson "" "" NO_SPILLS_ON)
  add_executable(${name}_test ${PROJECT_SOURCE_DIR}/tests/lessons/${name}_test.cpp)
  target_link_libraries(${name}_test PRIVATE lesson_checks)
  add_dependencies(${name}_test runner)
  if(COURSE_DEVICE STREQUAL "cpu")
    add_dependencies(${name}_test cucc)
  endif()
  set_target_properties(${name}_test PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

  set(stub ${PROJECT_SOURCE_DIR}/kernels/${name}.cu)
  set(solution ${PROJECT_SOURCE_DIR}/solutions/${name}.cu)
  add_test(NAME lesson.${name}.solution COMMAND ${name}_test --source ${solution})
  set_tests_properties(
    lesson.${name}.solution PROPERTIES LABELS solution FAIL_REGULAR_EXPRESSION "NOT STARTED"
                                       SKIP_REGULAR_EXPRESSION "no GPU answers")

  # The stub's hash is taken when the test runs: it changes as the stub is written.
  add_test(NAME lesson.${name}.stub
           COMMAND ${CMAKE_COMMAND} -D TEST=$<TARGET_FILE:${name}_test> -D STUB=${stub} -P
                   ${PROJECT_SOURCE_DIR}/cmake/CheckStub.cmake)
  set_tests_properties(lesson.${name}.stub PROPERTIES LABELS stub)

  add_compile_test(kernels ${name} 75 90)
  add_solution_tests(${name} ${lesson_NO_SPILLS_ON})
endfunction()

# The command that compiles directory/name.cu for these architectures, with warnings as errors, into an object named after
# the test. Nothing without nvcc.
function(nvcc_command result test directory name)
  set(${result} "" PARENT_SCOPE)
  find_package(CUDAToolkit QUIET)
  if(NOT CUDAToolkit_NVCC_EXECUTABLE)
    return()
  endif()
  set(targets)
  foreach(architecture IN LISTS ARGN)
    list(APPEND targets -gencode arch=compute_${architecture},code=sm_${architecture})
  endforeach()
  set(${result}
      ${CUDAToolkit_NVCC_EXECUTABLE} -std=c++17 -O3 ${targets} -Werror all-warnings -Xcompiler -Wall,-Wextra,-Werror
      -I ${PROJECT_SOURCE_DIR}/kernels -c -o ${CMAKE_CURRENT_BINARY_DIR}/${test}.o
      ${PROJECT_SOURCE_DIR}/${directory}/${name}.cu
      PARENT_SCOPE)
endfunction()

# nvcc.compile.DIRECTORY.NAME: the file compiles for these architectures without warnings.
function(add_compile_test directory name)
  set(test nvcc.compile.${directory}.${name})
  nvcc_command(command ${test} ${directory} ${name} ${ARGN})
  if(command)
    add_test(NAME ${test} COMMAND ${command})
    set_tests_properties(${test} PROPERTIES LABELS nvcc)
  endif()
endfunction()

# nvcc.registers.NAME: the solution compiles for these architectures without warnings, and no kernel spills registers or keeps
# an array in local memory. For kernels whose idea is that tiles stay in registers; the thread-per-row kernels of lessons 01
# to 06 index their rows at run time, which puts them into local memory.
function(add_register_test name)
  set(test nvcc.registers.${name})
  nvcc_command(command ${test} solutions ${name} ${ARGN})
  if(command)
    add_test(NAME ${test} COMMAND ${command} -Xptxas -v)
    set_tests_properties(
      ${test}
      PROPERTIES LABELS nvcc PASS_REGULAR_EXPRESSION "0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads"
                 FAIL_REGULAR_EXPRESSION
                 "[1-9][0-9]* bytes stack frame;[1-9][0-9]* bytes spill;: error;: warning;fatal")
  endif()
endfunction()

# A solution on all architectures; on those given, nothing may spill.
function(add_solution_tests name)
  set(others ${ALL_ARCHITECTURES})
  if(ARGN)
    list(REMOVE_ITEM others ${ARGN})
    add_register_test(${name} ${ARGN})
  endif()
  if(others)
    add_compile_test(solutions ${name} ${others})
  endif()
endfunction()

# add_extra_solution(NN_name NN_name_more [NO_SPILLS_ON architecture...]): a second reference for a lesson, without a stub.
#
#   lesson.NN_name_more.solution              solutions/NN_name_more.cu passes every check of the lesson
#   nvcc.compile.solutions.NN_name_more, nvcc.registers.NN_name_more
function(add_extra_solution lesson name)
  cmake_parse_arguments(PARSE_ARGV 2 solution "" "" NO_SPILLS_ON)
  add_test(NAME lesson.${name}.solution
           COMMAND ${lesson}_test --source ${PROJECT_SOURCE_DIR}/solutions/${name}.cu)
  set_tests_properties(lesson.${name}.solution PROPERTIES LABELS solution SKIP_REGULAR_EXPRESSION
                                                          "no GPU answers")
  add_solution_tests(${name} ${solution_NO_SPILLS_ON})
endfunction()

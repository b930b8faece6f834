# add_lesson(NN_name): everything that the build knows of one lesson.
#
#   <build>/bin/NN_name_test              the judge of the lesson, from tests/lessons/NN_name_test.cpp
#   lesson.NN_name.solution               solutions/NN_name.cu passes every check          (label solution)
#   lesson.NN_name.stub                   kernels/NN_name.cu is NOT STARTED in every check (label stub)
#   nvcc.compile.{kernels,solutions}.NN_name.sm_XX    compile without warnings, if nvcc is here (label nvcc)

# nvcc.compile.DIRECTORY.NN_name.sm_XX
function(add_nvcc_tests directory name)
  find_package(CUDAToolkit QUIET)
  if(CUDAToolkit_NVCC_EXECUTABLE)
    foreach(architecture IN ITEMS sm_75 sm_90)
      add_test(
        NAME nvcc.compile.${directory}.${name}.${architecture}
        COMMAND
          ${CUDAToolkit_NVCC_EXECUTABLE} -std=c++17 -O2 -arch=${architecture} -Werror all-warnings
          -Xcompiler -Wall,-Wextra,-Werror -I ${PROJECT_SOURCE_DIR}/kernels -c -o
          ${CMAKE_CURRENT_BINARY_DIR}/${directory}.${name}.${architecture}.o
          ${PROJECT_SOURCE_DIR}/${directory}/${name}.cu)
      set_tests_properties(nvcc.compile.${directory}.${name}.${architecture} PROPERTIES LABELS nvcc)
    endforeach()
  endif()
endfunction()

function(add_lesson name)
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

  add_nvcc_tests(kernels ${name})
  add_nvcc_tests(solutions ${name})
endfunction()

# add_extra_solution(NN_name NN_name_more): a second reference for a lesson, without a stub.
#
#   lesson.NN_name_more.solution              solutions/NN_name_more.cu passes every check of the lesson
#   nvcc.compile.solutions.NN_name_more.sm_XX
function(add_extra_solution lesson name)
  add_test(NAME lesson.${name}.solution
           COMMAND ${lesson}_test --source ${PROJECT_SOURCE_DIR}/solutions/${name}.cu)
  set_tests_properties(lesson.${name}.solution PROPERTIES LABELS solution SKIP_REGULAR_EXPRESSION
                                                          "no GPU answers")
  add_nvcc_tests(solutions ${name})
endfunction()

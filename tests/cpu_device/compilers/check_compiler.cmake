# Builds SOURCE with cucc and one compiler behind it, fast and checked. The fast program has to end with 0, the checked one
# to find what its source says (check_findings), and its counters to be labelled advisory, or not to be.
#
#   cmake -D COMPILER=<name> -D ADVISORY=ON|OFF -D CUCC=<cucc> -D CHECK_FINDINGS=<check_findings> -D SOURCE=<file.cu>
#         -D FOLDER=<for what is built> -P check_compiler.cmake

find_program(found ${COMPILER})
if(NOT found)
  message("${COMPILER} is not installed")
  return()
endif()

function(run what)
  execute_process(
    COMMAND ${ARGN}
    RESULT_VARIABLE status
    OUTPUT_VARIABLE output
    ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    message("${output}")
    message(FATAL_ERROR "${what}: ${status}, expected 0")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

file(MAKE_DIRECTORY ${FOLDER})
# -I means nothing to the second of cucc's commands, and clang would warn of it.
set(cucc ${CMAKE_COMMAND} -E env CXX_FOR_CUCC=${COMPILER} ${CUCC} -O2 -Wall -Wextra -Werror -I.)
run("cucc" ${cucc} -o ${FOLDER}/fast ${SOURCE})
run("the fast program" ${FOLDER}/fast)
run("cucc --check" ${cucc} --check -o ${FOLDER}/checked ${SOURCE})
run("check_findings" ${CHECK_FINDINGS} ${FOLDER}/checked ${SOURCE} forward reverse random)

run("the checked program"
    ${CMAKE_COMMAND} -E env CPU_DEVICE_COUNTERS=${FOLDER}/counters.json
    CPU_DEVICE_COUNTER_TABLE=1 ${FOLDER}/checked)
file(READ ${FOLDER}/counters.json counters)
string(JSON advisory GET "${counters}" advisory)
if(NOT advisory STREQUAL ADVISORY)
  message(FATAL_ERROR "counters.json says \"advisory\": ${advisory}, expected ${ADVISORY}")
endif()
string(REGEX MATCH "\nadvisory: [^\n]*" note "${output}")
if(ADVISORY AND NOT note)
  message(FATAL_ERROR "the table does not call its counts advisory:\n${output}")
elseif(note AND NOT ADVISORY)
  message(FATAL_ERROR "the table says:${note}")
endif()

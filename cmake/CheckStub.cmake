# Runs a lesson's test on its untouched stub: it has to exit with status 1, with every check NOT STARTED.
#
#   cmake -D TEST=<lesson test> -D STUB=<kernel file> -P CheckStub.cmake

file(SHA256 ${STUB} hash)
execute_process(
  COMMAND ${TEST} --source ${STUB} --stub-sha256 ${hash}
  RESULT_VARIABLE status
  OUTPUT_VARIABLE output
  ERROR_VARIABLE errors)
message("${output}${errors}")
if(NOT status EQUAL 1)
  message(FATAL_ERROR "exit status ${status}, expected 1")
endif()
string(REGEX MATCHALL "\n(PASS|FAIL|NOT RUN|INTERNAL ERROR)" others "${output}")
string(REGEX MATCHALL "\nNOT STARTED" not_started "${output}")
if(others OR NOT not_started)
  message(FATAL_ERROR "not every check is NOT STARTED")
endif()

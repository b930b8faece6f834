# Runs COMMAND and compares its exit status.
#
#   cmake -D STATUS=<number> -D COMMAND=<program;argument;...> -P check_status.cmake

execute_process(
  COMMAND ${COMMAND}
  RESULT_VARIABLE status
  OUTPUT_VARIABLE output
  ERROR_VARIABLE output)
if(NOT status EQUAL STATUS)
  message("${output}")
  message(FATAL_ERROR "${COMMAND}: ${status}, expected ${STATUS}")
endif()

# Runs a program with the warps and blocks in other orders and on other numbers of CPU threads.
#
#   cmake -D PROGRAM=<executable> -P run_schedules.cmake

foreach(setting IN ITEMS CPU_DEVICE_THREADS=1 CHECK_SCHEDULE=reverse CHECK_SCHEDULE=random)
  execute_process(
    COMMAND ${CMAKE_COMMAND} -E env ${setting} ${PROGRAM}
    RESULT_VARIABLE status
    OUTPUT_VARIABLE output
    ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    message("${output}")
    message(FATAL_ERROR "${setting} ${PROGRAM}: ${status}, expected 0")
  endif()
endforeach()

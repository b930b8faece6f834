# Compiles a wrong file: cucc has to exit with status 1, and its first error has to be at the
# place that the file's own line
#   // expect: FILE:LINE
# gives. FILE:LINE is a regular expression.
#
#   cmake -D CUCC=<cucc> -D SOURCE=<file.cu> -D OUTPUT=<executable> -P check_compile_error.cmake

file(STRINGS ${SOURCE} markers REGEX "^// expect: ")
string(REGEX REPLACE "^// expect: " "" expected "${markers}")
if(NOT expected)
  message(FATAL_ERROR "${SOURCE} has no line // expect: FILE:LINE")
endif()

get_filename_component(folder ${OUTPUT} DIRECTORY)
file(MAKE_DIRECTORY ${folder})
execute_process(
  COMMAND ${CUCC} -o ${OUTPUT} ${SOURCE}
  RESULT_VARIABLE status
  OUTPUT_VARIABLE output
  ERROR_VARIABLE output)
message("${output}")
if(NOT status EQUAL 1)
  message(FATAL_ERROR "cucc ended with ${status}, expected 1")
endif()
if(EXISTS ${OUTPUT})
  message(FATAL_ERROR "cucc left ${OUTPUT} behind")
endif()
string(REGEX MATCH "[^\n]*error:[^\n]*" first_error "${output}")
if(NOT first_error MATCHES "(^|/)${expected}:")
  message(FATAL_ERROR "the first error is not at ${expected}: ${first_error}")
endif()

// The counters as people and programs read them at a program's end.
#pragma once

#include <stdio.h>

namespace cpu_device {

// Whether the environment asks for counters.
bool counters_asked_for();
// Writes JSON to the file that CPU_DEVICE_COUNTERS names, if it does, and where CPU_DEVICE_COUNTER_TABLE is set the table
// to standard error.
void report_counters();

// For each kernel its totals, and below them the source lines with what each of them did.
void print_counter_table(FILE* file);

// The compiler that the checked program was compiled with, such as "g++ 12.2.0".
const char* compiler_name();
// True where that compiler is not the one whose instrumentation the counts are defined by.
bool counters_are_advisory();

}  // namespace cpu_device

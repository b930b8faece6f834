// Facts about loaded programs and libraries that only their files know: symbols, shared variables, source lines.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <string>

namespace cpu_device {

struct KernelInfo;

// Fills in everything about a kernel that is read from the symbol table of the file that contains the kernel.
void read_kernel_symbols(KernelInfo* kernel);

// Address of a byte of a module's thread-local segment on the calling thread.
void* tls_address(size_t module, size_t offset);

// Whether an address lies in a writable segment of a loaded program or library.
bool is_writable_data(uintptr_t address);

// "file.cu:12" for a code address, skipping frames inside the CPU device's own headers; "" when unknown.
// Runs the addr2line program.
std::string source_line(uintptr_t code_address);

}  // namespace cpu_device

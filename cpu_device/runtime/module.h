// Facts about loaded programs and libraries that only their files know: symbols, shared variables, source lines.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <string>
#include <vector>

namespace cpu_device {

struct KernelInfo;

// Fills in everything about a kernel that is read from the symbol table of the file that contains the kernel.
void read_kernel_symbols(KernelInfo* kernel);

// Address of a byte of a module's thread-local segment on the calling thread.
void* tls_address(size_t module, size_t offset);

// Whether an address lies in a writable segment of a loaded program or library.
bool is_writable_data(uintptr_t address);

// "/path/file.cu:12" for a code address, skipping frames inside the CPU device's own headers; "" when unknown.
// Runs the addr2line program.
std::string source_line(uintptr_t code_address);
// The same for many addresses, one after the other, in one run of addr2line per program or library.
std::vector<std::string> source_lines(const std::vector<uintptr_t>& code_addresses);

// The code address with this low half that lies nearest to another one: of the same program or library.
uintptr_t full_code(uint32_t low, uintptr_t nearby);

}  // namespace cpu_device

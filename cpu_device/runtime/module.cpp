#include "module.h"

#include <cxxabi.h>
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <sstream>
#include <string_view>

#include "registry.h"

// glibc's way to a thread-local address, also used by compiler-generated code.
struct TlsIndex {
  size_t module;
  size_t offset;
};
extern "C" void* __tls_get_addr(TlsIndex* index);

namespace cpu_device {
namespace {

struct Module {
  uintptr_t address = 0;  // searched for
  std::string path;
  uintptr_t base = 0;
  uintptr_t image_begin = ~uintptr_t{0}, image_end = 0;
  uintptr_t segment_begin = 0, segment_end = 0;  // the segment with the address
  size_t tls_module = 0;
};

int find_module(dl_phdr_info* info, size_t, void* data) {
  Module* const module = static_cast<Module*>(data);
  bool contains = false;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = info->dlpi_phdr[i];
    const uintptr_t begin = info->dlpi_addr + segment.p_vaddr;
    if (segment.p_type == PT_LOAD && module->address >= begin &&
        module->address < begin + segment.p_memsz) {
      contains = true;
      module->segment_begin = begin;
      module->segment_end = begin + segment.p_memsz;
    }
  }
  if (!contains) return 0;
  module->path = info->dlpi_name;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = info->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD) continue;
    const uintptr_t begin = info->dlpi_addr + segment.p_vaddr;
    module->image_begin = std::min(module->image_begin, begin);
    module->image_end = std::max(module->image_end, begin + segment.p_memsz);
  }
  module->base = info->dlpi_addr;
  module->tls_module = info->dlpi_tls_modid;
  return 1;
}

Module module_of(uintptr_t address) {
  Module module;
  module.address = address;
  const bool found = dl_iterate_phdr(find_module, &module) != 0;
  if (found && module.path.empty()) {  // the program itself has no name in the list
    char link[4096];
    const ssize_t length = readlink("/proc/self/exe", link, sizeof link);
    if (length > 0) module.path.assign(link, static_cast<size_t>(length));
  }
  return module;
}

// A file mapped for reading; empty when that fails.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path) {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat info;
    if (fd >= 0 && fstat(fd, &info) == 0 && info.st_size > 0) {
      void* const data = mmap(nullptr, info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
      if (data != MAP_FAILED) {
        data_ = static_cast<const char*>(data);
        size_ = info.st_size;
      }
    }
    if (fd >= 0) close(fd);
  }
  ~MappedFile() {
    if (data_ != nullptr) munmap(const_cast<char*>(data_), size_);
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  // count elements at an offset, or null when the file is too short for them.
  template <class T>
  const T* at(size_t offset, size_t count = 1) const {
    if (offset > size_ || count > (size_ - offset) / sizeof(T)) return nullptr;
    return reinterpret_cast<const T*>(data_ + offset);
  }

 private:
  const char* data_ = nullptr;
  size_t size_ = 0;
};

// Calls f(name, symbol) for every symbol of the file.
template <class F>
void for_each_symbol(const MappedFile& file, F f) {
  const auto* const header = file.at<ElfW(Ehdr)>(0);
  if (header == nullptr || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) return;
  const auto* const sections = file.at<ElfW(Shdr)>(header->e_shoff, header->e_shnum);
  if (sections == nullptr) return;
  for (int i = 0; i < header->e_shnum; ++i) {
    if (sections[i].sh_type != SHT_SYMTAB || sections[i].sh_link >= header->e_shnum) continue;
    const ElfW(Shdr)& strings = sections[sections[i].sh_link];
    const size_t count = sections[i].sh_size / sizeof(ElfW(Sym));
    const auto* const symbols = file.at<ElfW(Sym)>(sections[i].sh_offset, count);
    const char* const text = file.at<char>(strings.sh_offset, strings.sh_size);
    if (symbols == nullptr || text == nullptr) continue;
    for (size_t k = 0; k < count; ++k) {
      if (symbols[k].st_name < strings.sh_size) f(text + symbols[k].st_name, symbols[k]);
    }
  }
}

std::string demangle(const char* name) {
  int status = 0;
  char* const text = abi::__cxa_demangle(name, nullptr, nullptr, &status);
  std::string result = status == 0 && text != nullptr ? text : name;
  free(text);
  return result;
}

// The output of addr2line for some offsets into a file: for each its address, then a line per inlined frame.
std::string run_addr2line(const std::string& path, const std::vector<uintptr_t>& offsets) {
  std::string command = "addr2line -a -i -e '";
  for (const char c : path) command += c == '\'' ? std::string("'\\''") : std::string(1, c);
  command += "'";
  for (const uintptr_t offset : offsets) {
    char text[32];
    snprintf(text, sizeof text, " 0x%zx", static_cast<size_t>(offset));
    command += text;
  }
  FILE* const pipe = popen((command + " 2>/dev/null").c_str(), "r");
  if (pipe == nullptr) return "";
  std::string output;
  char buffer[512];
  while (fgets(buffer, sizeof buffer, pipe) != nullptr) output += buffer;
  pclose(pipe);
  return output;
}

// The innermost of some frames that is the program's own.
std::string own_frame(const std::vector<std::string>& frames) {
  for (std::string line : frames) {
    if (const size_t extra = line.find(" (discriminator"); extra != std::string::npos) {
      line.resize(extra);
    }
    const bool ours = line.find("cpu_device/include/") != std::string::npos;
    const bool unknown = line.rfind("??", 0) == 0 || line.ends_with(":0") || line.ends_with(":?");
    if (!ours && !unknown) return line;
  }
  return "";
}

}  // namespace

void read_kernel_symbols(KernelInfo* kernel) {
  const auto address = reinterpret_cast<uintptr_t>(kernel->func);
  const Module module = module_of(address);
  kernel->image_begin = module.image_begin;
  kernel->image_end = module.image_end;
  kernel->code_begin = module.segment_begin;
  kernel->code_end = module.segment_end;
  kernel->tls_module = module.tls_module;
  const MappedFile file(module.path);
  std::string mangled;
  for_each_symbol(file, [&](const char* name, const ElfW(Sym) & symbol) {
    if (ELF64_ST_TYPE(symbol.st_info) == STT_FUNC && module.base + symbol.st_value == address) {
      mangled = name;
    }
  });
  kernel->name = mangled.empty() ? "(unknown kernel)" : demangle(mangled.c_str());
  // A variable x of function _Z1kPf is the symbol _ZZ1kPfE1x; of extern "C" function k, _ZZ1kE1x.
  const std::string own = mangled.rfind("_Z", 0) == 0
                              ? "_ZZ" + mangled.substr(2) + "E"
                              : "_ZZ" + std::to_string(mangled.size()) + mangled + "E";
  for_each_symbol(file, [&](const char* name, const ElfW(Sym) & symbol) {
    if (ELF64_ST_TYPE(symbol.st_info) != STT_TLS || symbol.st_size == 0) return;
    if (strcmp(name, "cpu_device_dynamic_shared") == 0) kernel->dynamic_shared = symbol.st_value;
    if (strncmp(name, "_ZZ", 3) != 0) return;
    kernel->to_poison.push_back({symbol.st_value, symbol.st_size});
    if (strncmp(name, own.c_str(), own.size()) == 0) kernel->static_shared += symbol.st_size;
  });
}

void* tls_address(size_t module, size_t offset) {
  TlsIndex index{module, offset};
  return __tls_get_addr(&index);
}

bool is_writable_data(uintptr_t address) {
  struct Query {
    uintptr_t address;
    bool writable;
  } query{address, false};
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* data) {
        Query& q = *static_cast<Query*>(data);
        bool relro = false;
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          const ElfW(Phdr)& segment = info->dlpi_phdr[i];
          const uintptr_t begin = info->dlpi_addr + segment.p_vaddr;
          const bool inside = q.address >= begin && q.address < begin + segment.p_memsz;
          if (segment.p_type == PT_LOAD && inside) q.writable = (segment.p_flags & PF_W) != 0;
          if (segment.p_type == PT_GNU_RELRO && inside) relro = true;
        }
        if (relro) q.writable = false;
        return q.writable || relro ? 1 : 0;
      },
      &query);
  return query.writable;
}

std::string source_line(uintptr_t code_address) { return source_lines({code_address}).front(); }

std::vector<std::string> source_lines(const std::vector<uintptr_t>& code_addresses) {
  constexpr size_t kMostAtATime = 1000;
  std::vector<std::string> lines(code_addresses.size());
  std::map<std::string, std::vector<size_t>> by_file;
  std::vector<uintptr_t> offsets(code_addresses.size());
  for (size_t n = 0; n < code_addresses.size(); ++n) {
    const Module module = module_of(code_addresses[n]);
    offsets[n] = code_addresses[n] - module.base;
    if (!module.path.empty()) by_file[module.path].push_back(n);
  }
  for (const auto& [path, numbers] : by_file) {
    for (size_t begin = 0; begin < numbers.size(); begin += kMostAtATime) {
      const size_t end = std::min(numbers.size(), begin + kMostAtATime);
      std::vector<uintptr_t> some;
      for (size_t n = begin; n < end; ++n) some.push_back(offsets[numbers[n]]);
      std::istringstream output(run_addr2line(path, some));
      std::vector<std::string> frames;
      size_t next = begin;  // the address whose frames come next
      const auto finish = [&] {
        if (next > begin) lines[numbers[next - 1]] = own_frame(frames);
        frames.clear();
      };
      for (std::string line; std::getline(output, line);) {
        if (line.rfind("0x", 0) != 0) {
          frames.push_back(line);
        } else {
          finish();
          if (++next > end) break;
        }
      }
      if (next <= end) finish();
    }
  }
  return lines;
}

uintptr_t full_code(uint32_t low, uintptr_t nearby) {
  const uintptr_t candidate = (nearby & ~uintptr_t{0xffffffff}) | low;
  if (candidate > nearby && candidate - nearby > 0x80000000) return candidate - 0x100000000;
  if (candidate < nearby && nearby - candidate > 0x80000000) return candidate + 0x100000000;
  return candidate;
}

}  // namespace cpu_device

#include "shadow.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

namespace cpu_device {
namespace {

size_t bytes_for(uintptr_t begin, size_t size) {
  return ((begin + size + 3) / 4 - begin / 4) * sizeof(WordShadow);
}

}  // namespace

WordShadow* map_words(uintptr_t begin, size_t size) {
  void* const memory = mmap(
      nullptr, bytes_for(begin, size), PROT_READ | PROT_WRITE,
      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    fprintf(stderr, "cpu_device: no memory for the checks of an allocation of %zu bytes\n", size);
    abort();
  }
  return static_cast<WordShadow*>(memory);
}

uint32_t* map_tags(size_t size) {
  void* const memory = mmap(
      nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<uint32_t*>(memory);
}

void clear_tags(uint32_t* tags, size_t size) {
  if (tags != nullptr) madvise(tags, size, MADV_DONTNEED);
}

void unmap_words(WordShadow* words, uintptr_t begin, size_t size) {
  if (words != nullptr) munmap(words, bytes_for(begin, size));
}

}  // namespace cpu_device

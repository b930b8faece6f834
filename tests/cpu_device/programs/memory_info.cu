// cudaMemGetInfo: free memory falls by what is allocated and recovers when it is freed.
#include <cuda_runtime.h>

#include "check.h"

size_t free_bytes() {
  size_t free = 0, total = 0;
  CHECK_CUDA(cudaMemGetInfo(&free, &total));
  CHECK(free <= total);
  return free;
}

int main() {
  const size_t mib = 1 << 20;
  CHECK_CUDA(cudaFree(0));
  const size_t before = free_bytes();
  void *a = nullptr, *b = nullptr;
  CHECK_CUDA(cudaMalloc(&a, 64 * mib));
  const size_t with_a = free_bytes();
  CHECK_CUDA(cudaMalloc(&b, 32 * mib));
  const size_t with_both = free_bytes();
  // A GPU hands out memory in pages of 2 MiB.
  CHECK(before - with_a >= 64 * mib && before - with_a <= 66 * mib);
  CHECK(with_a - with_both >= 32 * mib && with_a - with_both <= 34 * mib);
  CHECK_CUDA(cudaFree(a));
  CHECK_EQ(free_bytes(), before - (with_a - with_both));
  CHECK_CUDA(cudaFree(b));
  CHECK_EQ(free_bytes(), before);
  return check_result();
}

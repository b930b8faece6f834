// printf in kernels with all usual conversions: it returns the number of arguments, and does not
// disturb the kernel. (Without any argument the CPU device returns what C does; not checked.)
#include <cuda_runtime.h>

#include <cstdio>

#include "check.h"

__global__ void talk(int* returned) {
  const int i = threadIdx.x;
  returned[i * 3] = printf("thread %d of %u\n", i, blockDim.x);
  returned[i * 3 + 1] =
      printf("%5.2f %s %c %llu %% %p\n", 1.5 * i, "text", 'x', 1ull << 40, returned);
  printf("no arguments\n");
  returned[i * 3 + 2] = i;
}

int main() {
  int* d_returned = upload(std::vector<int>(9, -1));
  talk<<<1, 3>>>(d_returned);
  CHECK_LAUNCH();
  std::vector<int> returned = download(d_returned, 9);
  for (int i = 0; i < 3; ++i) {
    CHECK_EQ(returned[i * 3], 2);
    CHECK_EQ(returned[i * 3 + 1], 5);
    CHECK_EQ(returned[i * 3 + 2], i);
  }
  CHECK_CUDA(cudaFree(d_returned));
  return check_result();
}

// expect: error leak [A]
// A function returns early and keeps its scratch memory.
#include "../device_array.h"

__global__ void touch(float* values) { values[threadIdx.x] = 1.0f; }

bool work(int n, bool wanted) {
  float* scratch = nullptr;
  cudaMalloc(&scratch, n * sizeof(float));  // [A]
  touch<<<1, n>>>(scratch);
  if (!wanted) return false;
  cudaFree(scratch);
  return true;
}

int main() {
  work(64, true);
  work(32, false);
  return finish();
}

// expect: error leak [A]
// expect: error leak [B]
// Managed and pitched memory need cudaFree too.
#include "../device_array.h"

__global__ void touch(int* values) { values[threadIdx.x] = 1; }

int main() {
  int* managed = nullptr;
  cudaMallocManaged(&managed, 32 * sizeof(int));  // [A]
  int* pitched = nullptr;
  size_t pitch = 0;
  cudaMallocPitch(&pitched, &pitch, 32 * sizeof(int), 4);  // [B]
  touch<<<1, 32>>>(managed);
  touch<<<1, 32>>>(pitched);
  return finish();
}

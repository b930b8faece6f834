// The host changes managed memory between two launches, after it has waited.
#include "../device_vector.h"

__managed__ int factor = 3;

__global__ void scale(int* values) { values[threadIdx.x] *= factor; }

int main() {
  int* values = nullptr;
  CHECK_CUDA(cudaMallocManaged(&values, 32 * sizeof(int)));
  for (int i = 0; i < 32; ++i) values[i] = i;
  scale<<<1, 32>>>(values);
  CHECK_LAUNCH();
  for (int i = 0; i < 32; ++i) values[i] += 1;
  factor = 2;
  scale<<<1, 32>>>(values);
  CHECK_LAUNCH();
  for (int i = 0; i < 32; ++i) CHECK_EQ(values[i], 2 * (3 * i + 1));
  CHECK_CUDA(cudaFree(values));
  return check_result();
}

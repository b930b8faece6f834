// __device__ variables are zero without an initialiser; symbols are copied both ways.
#include "../device_vector.h"

__device__ int counters[20];
__device__ float2 scale = {0.5f, 2.0f};
__device__ int* table;

__global__ void use() {
  const int t = threadIdx.x;
  if (t < 20) counters[t] += static_cast<int>(scale.y * table[t] + scale.x);
}

int main() {
  DeviceVector<int> values(iota<int>(20));
  int* const pointer = values;
  CHECK_CUDA(cudaMemcpyToSymbol(table, &pointer, sizeof pointer));
  use<<<1, 32>>>();
  use<<<1, 32>>>();
  CHECK_LAUNCH();
  int seen[20];
  CHECK_CUDA(cudaMemcpyFromSymbol(seen, counters, sizeof seen));
  for (int i = 0; i < 20; ++i) CHECK_EQ(seen[i], 4 * i);
  return check_result();
}

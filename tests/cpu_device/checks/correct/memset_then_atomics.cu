// cudaMemset clears the bins; all threads of all blocks add to them.
#include "../device_vector.h"

__global__ void count(unsigned long long* bins, float* sum) {
  atomicAdd(&bins[threadIdx.x % 5], 1ull);
  atomicAdd(sum, 0.5f);
}

int main() {
  DeviceVector<unsigned long long> bins(5);
  DeviceVector<float> sum(1);
  CHECK_CUDA(cudaMemset(bins, 0, 5 * sizeof(unsigned long long)));
  CHECK_CUDA(cudaMemset(sum, 0, sizeof(float)));
  count<<<8, 50>>>(bins, sum);
  CHECK_LAUNCH();
  for (unsigned long long n : bins.host()) CHECK_EQ(n, 80ull);
  CHECK_EQ(sum.host()[0], 200.0f);
  return check_result();
}

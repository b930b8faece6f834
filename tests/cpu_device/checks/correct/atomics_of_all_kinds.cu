// Atomics on one word of shared and of global memory by all threads, and plain reads of the result
// behind a barrier or in the next launch.
#include "../device_vector.h"

__global__ void combine(int* words, double* sum) {
  __shared__ int least, greatest, bits;
  if (threadIdx.x == 0) {
    least = 1 << 30;
    greatest = -1;
    bits = 0;
  }
  __syncthreads();
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  atomicMin(&least, i);
  atomicMax(&greatest, i);
  atomicOr(&bits, 1 << i % 16);
  __syncthreads();
  if (threadIdx.x == 0) {
    atomicMin(&words[0], least);
    atomicMax(&words[1], greatest);
    atomicAnd(&words[2], bits);
    atomicAdd(sum, 0.25);
  }
}

__global__ void copy(const int* words, const double* sum, double* out) {
  for (int k = 0; k < 3; ++k) out[k] = words[k];
  out[3] = *sum;
}

int main() {
  DeviceVector<int> words(std::vector<int>{1000, -1, -1});
  DeviceVector<double> sum(std::vector<double>(1, 0.0)), out(4);
  combine<<<4, 64>>>(words, sum);
  copy<<<1, 1>>>(words, sum, out);
  CHECK_LAUNCH();
  const std::vector<double> seen = out.host();
  CHECK_EQ(seen[0], 0.0);
  CHECK_EQ(seen[1], 255.0);
  CHECK_EQ(seen[2], 65535.0);
  CHECK_EQ(seen[3], 1.0);
  return check_result();
}

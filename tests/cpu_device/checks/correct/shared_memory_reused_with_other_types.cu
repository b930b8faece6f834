// The same dynamic shared memory holds floats, then doubles, then bytes, with barriers between.
#include "../device_vector.h"

__global__ void reuse(float* out) {
  extern __shared__ double storage[];
  float* const floats = reinterpret_cast<float*>(storage);
  unsigned char* const bytes = reinterpret_cast<unsigned char*>(storage);
  const int t = threadIdx.x, n = blockDim.x;
  floats[t] = t;
  floats[n + t] = 2 * t;
  __syncthreads();
  const float sum = floats[n - 1 - t] + floats[n + t];
  __syncthreads();
  storage[t] = sum;
  __syncthreads();
  const double other = storage[t ^ 32];
  __syncthreads();
  bytes[t] = static_cast<unsigned char>(t);
  __syncthreads();
  out[t] = static_cast<float>(other) + bytes[n - 1 - t];
}

int main() {
  DeviceVector<float> out(64);
  reuse<<<1, 64, 64 * sizeof(double)>>>(out);
  CHECK_LAUNCH();
  const std::vector<float> seen = out.host();
  for (int t = 0; t < 64; ++t) CHECK_EQ(seen[t], 63.0f + (t ^ 32) + 63 - t);
  return check_result();
}
